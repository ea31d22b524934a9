"""How far events are copied to the topics of projects that have their own."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

EVENT_COPY = """
CREATE TABLE event_copy (
    project_id text NOT NULL,
    part int NOT NULL,
    next_offset bigint NOT NULL,
    last_offset bigint NOT NULL,
    PRIMARY KEY (project_id, part)
) WITH (fillfactor = 50);
COMMENT ON TABLE event_copy IS 'of each project with topics of its own, and each partition of events';
COMMENT ON COLUMN event_copy.next_offset IS 'the first event that Kafka may not have a copy of';
COMMENT ON COLUMN event_copy.last_offset IS 'the last event of the project that was applied';
"""


def upgrade() -> None:
    op.execute(EVENT_COPY)


def downgrade() -> None:
    op.execute("DROP TABLE event_copy")
