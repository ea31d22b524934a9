"""Schedules of flows: how far each has come. What is due is a broadcast, which says of which moment it is."""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE schedule (
    flow_id text NOT NULL,
    trigger text NOT NULL,
    project_id text NOT NULL,
    bot_id text NOT NULL,
    last timestamptz NOT NULL,
    skipped bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (flow_id, trigger)
);
COMMENT ON COLUMN schedule.last IS 'the moment up to which it is settled: run, or skipped';
COMMENT ON COLUMN schedule.skipped IS 'moments that were missed by more than its grace';

ALTER TABLE broadcast ADD COLUMN moment timestamptz;
CREATE INDEX broadcast_of_schedule ON broadcast (ended_at) WHERE moment IS NOT NULL;
COMMENT ON COLUMN broadcast.moment IS 'of the schedule that the trigger `entry` is; NULL: a program made it';
"""


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    op.execute("ALTER TABLE broadcast DROP COLUMN moment; DROP TABLE schedule")
