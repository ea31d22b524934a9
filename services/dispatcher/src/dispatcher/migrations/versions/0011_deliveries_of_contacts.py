"""The deliveries of a contact are found by it, so that they can be erased."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

OF_ALL = """
CREATE INDEX IF NOT EXISTS delivery_of_contact ON ONLY delivery (contact_id) WHERE contact_id IS NOT NULL
"""
PARTITIONS = """
SELECT p.relname FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhrelid
 WHERE i.inhparent = 'delivery'::regclass
   AND NOT EXISTS (SELECT FROM pg_index x JOIN pg_inherits j ON j.inhrelid = x.indexrelid
                    WHERE x.indrelid = p.oid AND j.inhparent = 'delivery_of_contact'::regclass)
"""
OF_ONE = """
CREATE INDEX CONCURRENTLY IF NOT EXISTS {name}_of_contact ON {name} (contact_id) WHERE contact_id IS NOT NULL
"""
ATTACH = "ALTER INDEX delivery_of_contact ATTACH PARTITION {name}_of_contact"


def upgrade() -> None:
    op.execute(OF_ALL)  # First: partitions that are made from now on have it.
    with op.get_context().autocommit_block():
        run = op.get_bind().exec_driver_sql
        for (name,) in run(PARTITIONS).fetchall():
            run(OF_ONE.format(name=name))
            run(ATTACH.format(name=name))


def downgrade() -> None:
    op.execute("DROP INDEX delivery_of_contact")
