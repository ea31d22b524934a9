"""What happened in each turn of a conversation."""

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE trace (
    conversation uuid NOT NULL,
    turn bigint NOT NULL,
    body bytea NOT NULL,
    saved_on date NOT NULL DEFAULT CURRENT_DATE
) PARTITION BY RANGE (saved_on);
CREATE INDEX trace_of_conversation ON trace (conversation, turn);
COMMENT ON TABLE trace IS 'A row a turn; turn is the conversation''s version after it, body as flow_engine.state.traces packs it';
"""


def upgrade() -> None:
    op.execute(TABLE)


def downgrade() -> None:
    op.execute("DROP TABLE trace")
