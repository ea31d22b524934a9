"""The chat log of a bot in the order of time. Messages of the releases before have no bot: they are found by their contact."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

COLUMN = "ALTER TABLE message ADD COLUMN IF NOT EXISTS bot_id text"
OF_ALL = """
CREATE INDEX IF NOT EXISTS message_of_bot ON ONLY message (bot_id, at, conversation) WHERE bot_id IS NOT NULL
"""
PARTITIONS = """
SELECT p.relname FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhrelid
 WHERE i.inhparent = 'message'::regclass
   AND NOT EXISTS (SELECT FROM pg_index x JOIN pg_inherits j ON j.inhrelid = x.indexrelid
                    WHERE x.indrelid = p.oid AND j.inhparent = 'message_of_bot'::regclass)
"""
OF_ONE = """
CREATE INDEX CONCURRENTLY IF NOT EXISTS {name}_of_bot ON {name} (bot_id, at, conversation) WHERE bot_id IS NOT NULL
"""
ATTACH = "ALTER INDEX message_of_bot ATTACH PARTITION {name}_of_bot"


def upgrade() -> None:
    op.execute(COLUMN)
    op.execute(OF_ALL)  # First: partitions that are made from now on have it.
    with op.get_context().autocommit_block():
        run = op.get_bind().exec_driver_sql
        for (name,) in run(PARTITIONS).fetchall():
            run(OF_ONE.format(name=name))
            run(ATTACH.format(name=name))


def downgrade() -> None:
    op.execute("DROP INDEX message_of_bot")
    op.execute("ALTER TABLE message DROP COLUMN bot_id")
