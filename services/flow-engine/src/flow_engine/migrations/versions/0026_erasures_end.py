"""Erasures have the bot, so that they can be told once more, and are part of another one where the contact was; those that are not done
are found by an index."""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

COLUMNS = "ALTER TABLE erasure ADD COLUMN bot_id text, ADD COLUMN same_as uuid REFERENCES erasure ON DELETE CASCADE"
MEANING = "COMMENT ON COLUMN erasure.same_as IS 'the contact was merged, and went with this erasure of who was left'"
UNFINISHED = """
CREATE INDEX CONCURRENTLY IF NOT EXISTS erasure_key_unfinished ON erasure_key (erasure) WHERE erased_at IS NULL OR delivered_at IS NULL
"""


def upgrade() -> None:
    op.execute(COLUMNS)
    op.execute(MEANING)
    with op.get_context().autocommit_block():
        op.execute(UNFINISHED)


def downgrade() -> None:
    op.execute("DROP INDEX erasure_key_unfinished")
    op.execute("ALTER TABLE erasure DROP COLUMN same_as, DROP COLUMN bot_id")
