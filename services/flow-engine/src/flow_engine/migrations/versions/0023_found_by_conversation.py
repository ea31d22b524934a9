"""What the event log and the timers have of a conversation is found by it, so that it can be erased."""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

OF_ALL = "CREATE INDEX IF NOT EXISTS event_log_of_conversation ON ONLY event_log (conversation)"
PARTITIONS = """
SELECT p.relname FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhrelid
 WHERE i.inhparent = 'event_log'::regclass
   AND NOT EXISTS (SELECT FROM pg_index x JOIN pg_inherits j ON j.inhrelid = x.indexrelid
                    WHERE x.indrelid = p.oid AND j.inhparent = 'event_log_of_conversation'::regclass)
"""
OF_ONE = "CREATE INDEX CONCURRENTLY IF NOT EXISTS {name}_of_conversation ON {name} (conversation)"
ATTACH = "ALTER INDEX event_log_of_conversation ATTACH PARTITION {name}_of_conversation"
OF_TIMERS = "CREATE INDEX CONCURRENTLY IF NOT EXISTS timer_of_conversation ON timer (key)"


def upgrade() -> None:
    op.execute(OF_ALL)  # First: partitions that are made from now on have it.
    with op.get_context().autocommit_block():
        run = op.get_bind().exec_driver_sql
        run(OF_TIMERS)
        for (name,) in run(PARTITIONS).fetchall():
            run(OF_ONE.format(name=name))
            run(ATTACH.format(name=name))


def downgrade() -> None:
    op.execute("DROP INDEX timer_of_conversation, event_log_of_conversation")
