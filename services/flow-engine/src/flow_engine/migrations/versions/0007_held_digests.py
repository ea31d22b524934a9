"""What a held event asked for under an id of its sender's, so that another request under that id is known before its turn."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

DIGESTS = """
ALTER TABLE held ADD COLUMN event_id text, ADD COLUMN digest text;
CREATE INDEX held_event ON held (event_id) WHERE event_id IS NOT NULL;
COMMENT ON COLUMN held.event_id IS 'of events that came with a digest, only';
"""


def upgrade() -> None:
    op.execute(DIGESTS)


def downgrade() -> None:
    op.execute("ALTER TABLE held DROP COLUMN event_id, DROP COLUMN digest")
