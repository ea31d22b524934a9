"""Erasures: how far each one is, and by keyed hashes what was erased, so that nothing older brings it back."""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE erasure (
    id uuid PRIMARY KEY,
    project_id text NOT NULL,
    contact_id uuid NOT NULL,
    asked_at timestamptz NOT NULL,
    until date NOT NULL
);
COMMENT ON TABLE erasure IS 'one for each erased contact, whose id is all that is kept of it';
CREATE TABLE erasure_key (
    erasure uuid NOT NULL REFERENCES erasure ON DELETE CASCADE,
    pseudonym bytea NOT NULL,
    erased_at timestamptz,
    delivered_at timestamptz,
    PRIMARY KEY (erasure, pseudonym)
);
COMMENT ON COLUMN erasure_key.erased_at IS 'this service has nothing of the key any more';
COMMENT ON COLUMN erasure_key.delivered_at IS 'the dispatcher has nothing of it';
CREATE TABLE erased (
    pseudonym bytea PRIMARY KEY,
    before text NOT NULL,
    version bigint NOT NULL,
    next_seq int NOT NULL,
    seen bytea NOT NULL,
    until date NOT NULL
);
COMMENT ON TABLE erased IS 'what was received before then under a key with this mark (state.pseudonyms) is not applied';
COMMENT ON COLUMN erased.version IS 'a conversation that begins under the key anew goes on counting from here, and so with next_seq';
COMMENT ON COLUMN erased.seen IS 'the ids of events that were applied under it, as in conversation.seen';
"""


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    op.execute("DROP TABLE erased, erasure_key, erasure")
