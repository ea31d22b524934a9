"""The chats that a channel has seen, so that a list of them reads what is on its page."""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

INDEX = """
CREATE INDEX CONCURRENTLY IF NOT EXISTS conversation_of_channel
    ON conversation (split_part(key, '/', 1), split_part(key, '/', 2), id) WHERE contact_id IS NOT NULL
"""
"""Of what a turn changes nothing is in it: its update of the row touches no index."""


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute(INDEX)


def downgrade() -> None:
    op.execute("DROP INDEX conversation_of_channel")
