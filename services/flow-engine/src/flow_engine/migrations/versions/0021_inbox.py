"""Who answers a conversation, so that agents' lists read only what is on them. Nobody is named where it is the bot.

An engine of the release before writes neither column: what it saves has the owner that it had.
"""

from alembic import op

revision = "0021"
down_revision = "0014"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE conversation ADD COLUMN IF NOT EXISTS owner text, ADD COLUMN IF NOT EXISTS owner_since timestamptz;
COMMENT ON COLUMN conversation.owner IS 'queued, or the id of an agent; null: the bot answers';
"""
INDEXES = (
    """
CREATE INDEX CONCURRENTLY IF NOT EXISTS conversation_of_owner
    ON conversation (split_part(key, '/', 1), owner, owner_since, id) WHERE owner IS NOT NULL
""",
    """
CREATE INDEX CONCURRENTLY IF NOT EXISTS conversation_with_agents
    ON conversation (split_part(key, '/', 1), owner_since, id) WHERE owner IS NOT NULL AND owner <> 'queued'
""",
    """
CREATE INDEX CONCURRENTLY IF NOT EXISTS conversation_of_bot
    ON conversation (split_part(key, '/', 1), id) WHERE contact_id IS NOT NULL
""",
)
"""Of what a turn changes nothing is in them: its update of the row touches no index."""


def upgrade() -> None:
    op.execute(COLUMNS)
    with op.get_context().autocommit_block():
        for index in INDEXES:
            op.execute(index)


def downgrade() -> None:
    op.execute("DROP INDEX conversation_of_owner, conversation_with_agents, conversation_of_bot")
    op.execute("ALTER TABLE conversation DROP COLUMN owner, DROP COLUMN owner_since")
