"""Broadcasts: what is sent, how far the walk has come, and what became of each recipient."""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE broadcast (
    id uuid PRIMARY KEY,
    project_id text NOT NULL,
    bot_id text NOT NULL,
    flow_id text NOT NULL,
    entry text,
    variables bytea NOT NULL,
    channel_id text,
    segment_id text,
    filter text,
    rate float8 NOT NULL,
    quiet_hours bytea,
    starts_at timestamptz NOT NULL,
    until timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'scheduled',
    digest text,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    ended_at timestamptz
);
CREATE INDEX broadcast_of_project ON broadcast (project_id, created_at, id);
COMMENT ON COLUMN broadcast.state IS 'scheduled | running | paused | completed | cancelled | expired';
COMMENT ON COLUMN broadcast.filter IS 'of the segment, as it was when the broadcast was made';
COMMENT ON COLUMN broadcast.digest IS 'stands for the request, where its id follows from an Idempotency-Key';

CREATE TABLE broadcast_walk (
    broadcast uuid PRIMARY KEY REFERENCES broadcast,
    owner text,
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    bound uuid,
    last uuid,
    walked bool NOT NULL DEFAULT false,
    paced_at timestamptz,
    recipients bigint NOT NULL DEFAULT 0,
    closed bool NOT NULL DEFAULT false
);
CREATE INDEX broadcast_walk_open ON broadcast_walk (broadcast) WHERE NOT closed;
COMMENT ON TABLE broadcast_walk IS 'Apart from the broadcast, whose row turns lock to see that it runs while the walk goes on';
COMMENT ON COLUMN broadcast_walk.bound IS 'the highest contact id of the broadcast: who comes to be later is not in it';
COMMENT ON COLUMN broadcast_walk.last IS 'the contact that the walk has come to';
COMMENT ON COLUMN broadcast_walk.paced_at IS 'when the next recipient is due by the rate';

CREATE TABLE broadcast_recipient (
    broadcast uuid NOT NULL,
    contact uuid NOT NULL,
    outcome text NOT NULL,
    reason text,
    conversation uuid,
    due timestamptz,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (broadcast, contact)
) WITH (fillfactor = 70);
CREATE INDEX broadcast_recipient_of_outcome ON broadcast_recipient (broadcast, outcome, contact);
CREATE INDEX broadcast_recipient_contact ON broadcast_recipient (contact);
CREATE INDEX broadcast_recipient_waiting ON broadcast_recipient (broadcast, due) WHERE outcome = 'waiting';
CREATE INDEX broadcast_recipient_sending ON broadcast_recipient (broadcast, at) WHERE outcome = 'sending';
COMMENT ON COLUMN broadcast_recipient.outcome IS 'waiting (put off until due) | sending (its record is on inbound) | started | skipped | failed | cancelled';

CREATE TABLE broadcast_count (
    broadcast uuid NOT NULL,
    part int NOT NULL,
    outcome text NOT NULL,
    reason text NOT NULL,
    recipients bigint NOT NULL,
    PRIMARY KEY (broadcast, part, outcome, reason)
) WITH (fillfactor = 50);
COMMENT ON TABLE broadcast_count IS 'Final outcomes, counted by each partition of inbound for itself, -1 by the walk: nobody waits for a counter';
"""


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    op.execute("DROP TABLE broadcast_count, broadcast_recipient, broadcast_walk, broadcast")
