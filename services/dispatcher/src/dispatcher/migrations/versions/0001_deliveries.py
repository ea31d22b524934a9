"""Deliveries, their attempts, what is due where, and the results on their way to the engine.

Revision ID: 0001
"""

from __future__ import annotations

from alembic import op

from servicekit.checkpoints.tables import LOOP_TABLES

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE destination (
    name text PRIMARY KEY,
    paused_until timestamptz,
    pause_reason text,
    failures int NOT NULL DEFAULT 0,
    failing_since timestamptz,
    told boolean NOT NULL DEFAULT false,
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE queue (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    destination text NOT NULL,
    source text NOT NULL DEFAULT '',
    next_due timestamptz,
    UNIQUE (destination, source)
) WITH (fillfactor = 50);
CREATE INDEX queue_due ON queue (next_due) WHERE next_due IS NOT NULL;
CREATE INDEX queue_source ON queue (source) WHERE source <> '';

CREATE TABLE delivery (
    id uuid NOT NULL,
    day date NOT NULL,
    project_id text NOT NULL,
    kind text NOT NULL,
    queue_id int NOT NULL,
    source text NOT NULL,
    lane text,
    seq bigint,
    state text NOT NULL,
    attempts smallint NOT NULL DEFAULT 0,
    base smallint NOT NULL DEFAULT 0,
    due timestamptz,
    lease uuid,
    expires_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    conversation text,
    contact_id text,
    event_type text,
    event_id text,
    traceparent text,
    hops smallint NOT NULL DEFAULT 0,
    error text,
    payload bytea NOT NULL,
    PRIMARY KEY (id, day)
) PARTITION BY RANGE (day);
CREATE INDEX delivery_due ON delivery (queue_id, due) WHERE due IS NOT NULL;
CREATE INDEX delivery_lane ON delivery (lane, seq) WHERE lane IS NOT NULL AND finished_at IS NULL;
CREATE INDEX delivery_of_queue ON delivery (queue_id, created_at);
CREATE INDEX delivery_of_project ON delivery (project_id, created_at);

CREATE TABLE attempt (
    delivery_id uuid NOT NULL,
    day date NOT NULL,
    number smallint NOT NULL,
    started_at timestamptz NOT NULL,
    took_ms int NOT NULL,
    outcome text NOT NULL,
    status smallint,
    code text,
    detail text,
    request bytea NOT NULL,
    response bytea
) PARTITION BY RANGE (day);
CREATE INDEX attempt_of_delivery ON attempt (delivery_id);

CREATE TABLE result_outbox (
    name uuid PRIMARY KEY,
    payload bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0);

CREATE TABLE replica (
    instance text PRIMARY KEY,
    seen_at timestamptz NOT NULL
);
"""
"""`queue`: where to look for what is due. One row a destination for deliveries that any dispatcher may claim (source '')
and one per partition (`actions/7`) for its lanes, which only that partition's owner sends. `next_due` is never
later than the earliest `due` of its deliveries (but for a moment after a crash, which a sweep mends), so that claiming
looks at queues, never at the million due rows of a dead one.

`delivery.due`: when somebody must look at the row again: the next attempt, or the lease's end while it is in flight. Null
when it is final or waits for the head of its lane. `lease` is who may record its outcome."""


def upgrade() -> None:
    op.execute(LOOP_TABLES)
    op.execute(TABLES)


def downgrade() -> None:
    op.execute("DROP TABLE replica, result_outbox, attempt, delivery, queue, destination, outbox, checkpoint")
