"""The two tables that every service with a partition loop has in its own schema; its migrations run these statements."""

from __future__ import annotations

LOOP_TABLES = """
CREATE TABLE checkpoint (
    topic text NOT NULL,
    part int NOT NULL,
    next_offset bigint NOT NULL,
    epoch bigint NOT NULL,
    owner uuid NOT NULL,
    last_id text,
    partitions int NOT NULL,
    seen jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (topic, part)
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0);
CREATE TABLE outbox (
    topic text NOT NULL,
    part int NOT NULL,
    name text NOT NULL,
    position bigserial NOT NULL,
    payload bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, part, name)
) WITH (autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE outbox ALTER COLUMN payload SET STORAGE EXTERNAL;
"""
"""Of the first release. `checkpoint`: one row per partition that this service has consumed.

`next_offset` is the next to apply, `last_id` the identity of the record before it, `partitions` the topic's count when
first seen, `(epoch, owner)` the fence: only who holds both may write. `seen` is `{"topic/partition": [offset, index]}`,
the marks: the highest source applied (guarantees.md 2.5). `outbox`: records committed and not yet acknowledged by Kafka, in `position`'s
order; `name` is the first offset of the batch, or the caller's own. Payloads live for milliseconds: they are not compressed."""

INCARNATION = "ALTER TABLE checkpoint ADD COLUMN incarnation text"
"""Of the second: the id of the topic that the row is about. Null until the row is next moved, and where Kafka tells none;
a release that does not know the column leaves it as it is."""
