"""Deliveries on their way: taken over, claimed, unblocked, recorded, discarded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from uuid import UUID

import asyncpg

from dispatcher.model.delivery import OPENS_AFTER, Delivery, Result, unknown_kind
from dispatcher.model.states import State
from dispatcher.store.erasures import ERASED, TOLD
from dispatcher.store.port import CLAIMED_BYTES, DISCARDED_AT_ONCE, STRETCH_BYTES, Lease, Queue, Recorded
from dispatcher.store.queues import QueueRows
from dispatcher.store.rows import NEW, RESULT, heads_of_stretches, new_rows, portions, result_row

_INTERVAL, _LEASE, _QUEUES, _SINCE = (f"${len(NEW) + number}" for number in (1, 2, 3, 4))
_INSERT = f"""
WITH arrived AS MATERIALIZED (
    SELECT u.*, e.contact_id IS NOT NULL AS erased,
           CASE WHEN e.contact_id IS NOT NULL THEN 'cancelled'
                WHEN coalesce(u.state, '') <> 'discarded' AND u.lane IS NOT NULL AND (u.place > 0 OR (
                    SELECT true FROM delivery d
                     WHERE d.lane = u.lane AND d.finished_at IS NULL AND d.day >= {_SINCE}::date LIMIT 1))
                THEN 'blocked' ELSE coalesce(u.state, 'in_flight') END AS first_state
      FROM {NEW.unnest()}
      LEFT JOIN erased_contact e ON e.contact_id = u.contact_id AND u.event_type IS DISTINCT FROM '{TOLD}'
), unlooked AS (
    SELECT id FROM queue
     WHERE id = ANY ({_QUEUES}::int[]) AND (next_due IS NULL OR next_due > now() + {_INTERVAL}::interval) ORDER BY id FOR UPDATE
), looked AS (
    UPDATE queue q SET next_due = least(q.next_due, now() + {_INTERVAL}::interval) FROM unlooked WHERE q.id = unlooked.id
)
INSERT INTO delivery (id, day, project_id, kind, queue_id, source, lane, seq, state, attempts, due, lease, expires_at,
                      finished_at, conversation, contact_id, event_type, event_id, traceparent, hops, error, payload)
SELECT id, day, project_id, kind, queue_id, source, CASE WHEN NOT erased THEN lane END, CASE WHEN NOT erased THEN seq END,
       first_state,
       CASE first_state WHEN 'in_flight' THEN 1 ELSE 0 END,
       CASE first_state WHEN 'in_flight' THEN now() + {_INTERVAL}::interval WHEN 'pending' THEN now() END,
       CASE WHEN first_state IN ('in_flight', 'blocked') THEN {_LEASE}::uuid END,
       expires_at,
       CASE WHEN first_state IN ('discarded', 'cancelled') THEN now() END,
       CASE WHEN NOT erased THEN conversation END, CASE WHEN NOT erased THEN contact_id END, event_type, event_id,
       CASE WHEN NOT erased THEN traceparent END, coalesce(hops, 0), CASE WHEN erased THEN '{ERASED}' ELSE error END,
       CASE WHEN erased THEN '' ELSE payload END
  FROM arrived
ON CONFLICT (id, day) DO NOTHING
RETURNING id, state
"""
"""`arrived` is looked up once for each row, not wherever its state is needed. Of the lane one row is asked for and not whether
there is any: for that PostgreSQL may read all rows of all lanes into a hash, and did."""
_ROW = """
RETURNING d.id, d.day, d.project_id, d.kind, d.queue_id, d.source, d.lane, d.seq, d.attempts, d.base, d.expires_at,
       d.created_at, d.conversation, d.contact_id, d.event_type, d.event_id, d.traceparent, d.hops,
       d.superseded, d.payload"""
_UNBLOCK = f"""
WITH stretch AS (
    SELECT counted.* FROM unnest($1::text[], $2::int[]) AS ended(lane, most) CROSS JOIN LATERAL (
        SELECT id, day, row_number() OVER lane AS place, bool_and(state = 'blocked') OVER lane AS blocked,
               sum(octet_length(payload)) OVER lane AS size
          FROM (SELECT id, day, seq, state, payload FROM delivery d
                 WHERE d.lane = ended.lane AND d.finished_at IS NULL AND d.day >= $5::date
                 ORDER BY d.seq LIMIT ended.most) looked
        WINDOW lane AS (ORDER BY seq)
    ) counted WHERE blocked AND (place = 1 OR size <= {STRETCH_BYTES})
)
UPDATE delivery d
   SET lease = $4, state = CASE place WHEN 1 THEN 'in_flight' ELSE d.state END,
       attempts = CASE place WHEN 1 THEN d.attempts + 1 ELSE d.attempts END,
       due = CASE place WHEN 1 THEN now() + $3::interval END
  FROM stretch WHERE d.id = stretch.id AND d.day = stretch.day AND d.state = 'blocked'
{_ROW}, place
"""
"""One look into each day for each lane, however much waits in it: with all its rows read and sorted, a lane that falls behind
would fall behind further."""
_CLAIM = f"""
WITH found AS (
    SELECT id, day, due, state, octet_length(payload) AS size FROM delivery
     WHERE queue_id = $1 AND due <= now() ORDER BY due LIMIT $2 FOR UPDATE SKIP LOCKED
), picked AS (
    SELECT id, day, state FROM (SELECT *, sum(size) OVER (ORDER BY due, id) - size AS before FROM found) sized
     WHERE before < {CLAIMED_BYTES}
)
UPDATE delivery d SET state = 'in_flight', attempts = d.attempts + 1, due = now() + $3::interval, lease = $4
  FROM picked WHERE d.id = picked.id AND d.day = picked.day
{_ROW}, picked.state = 'in_flight' AS cut_off
"""
_DISCARD = f"""
WITH old AS (SELECT id FROM delivery WHERE day = $1 AND finished_at IS NULL LIMIT $3)
UPDATE delivery d SET state = 'discarded', error = $2, due = NULL, lease = NULL, finished_at = now()
  FROM old WHERE d.id = old.id AND d.day = $1
{_ROW}
"""
_SUPERSEDE = """
WITH old AS (
    UPDATE delivery d
       SET superseded = true, due = CASE WHEN d.state IN ('pending', 'retrying') THEN now() ELSE d.due END
      FROM unnest($1::text[], $2::int[]) AS u(lane, epoch)
     WHERE d.lane = u.lane AND d.finished_at IS NULL AND d.day >= $3::date AND d.kind = 'message'
       AND convert_from(d.payload, 'UTF8')::json ->> 'agent_id' IS NULL
       AND coalesce((convert_from(d.payload, 'UTF8')::json ->> 'owner_epoch')::int, 0) < u.epoch
    RETURNING d.id, d.state, d.queue_id
), looked AS (
    UPDATE queue SET next_due = now() WHERE id IN (SELECT queue_id FROM old WHERE state IN ('pending', 'retrying'))
)
SELECT id FROM old WHERE state = 'in_flight'
"""
_TAKE_LANES = """
WITH queues AS (SELECT id FROM queue WHERE source = ANY ($1::text[])),
heads AS (
    SELECT DISTINCT ON (lane) id, day, state, source FROM delivery
     WHERE lane IS NOT NULL AND finished_at IS NULL AND queue_id IN (SELECT id FROM queues)
     ORDER BY lane, seq
), freed AS (
    UPDATE delivery d SET state = 'retrying', due = now(), lease = NULL FROM heads
     WHERE d.id = heads.id AND d.day = heads.day AND d.state IN ('in_flight', 'blocked') AND NOT (d.id = ANY ($2::uuid[]))
    RETURNING d.queue_id
)
UPDATE queue SET next_due = now() WHERE id IN (SELECT queue_id FROM freed)
"""
_PUBLISHED, _WORKING = (f"${len(RESULT) + number}" for number in (1, 2))
_RECORD = f"""
WITH done AS (
    UPDATE delivery d
       SET state = u.state, attempts = u.attempts, error = u.detail, lease = NULL,
           due = CASE WHEN u.delay IS NOT NULL THEN now() + u.delay * interval '1 second' END,
           finished_at = CASE WHEN u.delay IS NULL THEN now() END
      FROM {RESULT.unnest()}
     WHERE d.id = u.id AND d.day = u.day AND d.lease = u.lease
    RETURNING d.id, d.day, d.attempts, d.state, u.started_at, u.took_ms, u.status, u.code, u.detail, u.request, u.response
), gone AS (
    DELETE FROM result_outbox WHERE name = ANY ({_PUBLISHED}::uuid[])
), working AS (
    UPDATE destination SET failures = 0, failing_since = NULL, told = false, updated_at = now()
      FROM destination before
     WHERE destination.name = ANY ({_WORKING}::text[]) AND destination.failures > 0 AND before.name = destination.name
    RETURNING destination.name, before.failures
), noted AS (
    INSERT INTO attempt (delivery_id, day, number, started_at, took_ms, outcome, status, code, detail, request, response)
    SELECT id, day, attempts, started_at, took_ms, CASE state WHEN 'retrying' THEN 'retry' ELSE state END, status, code,
           detail, request, response
      FROM done WHERE request IS NOT NULL
)
SELECT id, NULL AS name FROM done
UNION ALL SELECT NULL, name FROM working WHERE failures >= {OPENS_AFTER}
"""


class DeliveryRows(QueueRows):
    """The part of a session that is about deliveries and their attempts."""

    async def take_over(self, deliveries: Sequence[Delivery], lease: Lease) -> dict[UUID, State]:
        queues = sorted({each.queue_id for each in deliveries if each.state != "discarded"})
        self._lane_days.reach(min((each.day for each in deliveries), default=date.max))
        since = self._lane_days.since
        states = dict[UUID, State]()
        for rows in portions(new_rows(deliveries)):
            arrays = NEW.arrays(rows)
            inserted = await self._connection.fetch(_INSERT, *arrays, lease.interval, lease.id, queues, since)
            states.update((row["id"], row["state"]) for row in inserted)
            queues = []  # All of them are locked by the first statement, in the order of their ids.
        await self._look_by({(each.queue_id, 0.0) for each in deliveries if each.state == "pending"})
        return states

    async def supersede(self, lanes: Mapping[str, int]) -> set[UUID]:
        names = sorted(lanes)
        epochs = [lanes[name] for name in names]
        rows = await self._connection.fetch(_SUPERSEDE, names, epochs, self._lane_days.since)
        return {row["id"] for row in rows}

    async def take_lanes(self, sources: Iterable[str], in_hand: Iterable[UUID]) -> None:
        self._lane_days.forget()
        await self._connection.execute(_TAKE_LANES, sorted(sources), list(in_hand))

    async def claim(self, queue: Queue, limit: int, lease: Lease) -> list[Delivery]:
        rows = await self._connection.fetch(_CLAIM, queue.id, limit, lease.interval, lease.id)
        claimed = [self._delivery_of(row, queue.destination, lease) for row in rows]
        for row, one in zip(rows, claimed, strict=True):
            one.cut_off = row["cut_off"]
        return claimed

    async def unblock(self, lanes: Mapping[str, int], lease: Lease) -> list[Delivery]:
        names = sorted(lanes)
        most, since = [lanes[name] for name in names], self._lane_days.since
        rows = await self._connection.fetch(_UNBLOCK, names, most, lease.interval, lease.id, since)
        rows.sort(key=lambda row: (row["lane"], row["place"]))
        return heads_of_stretches(await self._deliveries_of(rows, lease), [row["place"] for row in rows])

    async def discard_some(self, day: date, why: str) -> list[Delivery]:
        rows = await self._connection.fetch(_DISCARD, day, why, DISCARDED_AT_ONCE)
        return await self._deliveries_of(rows, Lease(0))

    async def record(self, results: Sequence[Result], working: Sequence[str], published: Sequence[UUID]) -> Recorded:
        arrays = RESULT.arrays([result_row(each) for each in results])
        rows = await self._connection.fetch(_RECORD, *arrays, published, working)
        await self._look_by((each.delivery.queue_id, each.delay) for each in results if each.delay is not None)
        mine = {row["id"] for row in rows if row["name"] is None}
        return Recorded(mine, {row["name"] for row in rows if row["name"] is not None})

    async def _deliveries_of(self, rows: list[asyncpg.Record], lease: Lease) -> list[Delivery]:
        if not rows:
            return []
        destinations = await self._numbers.destinations((row["queue_id"] for row in rows), self._connection)
        return [self._delivery_of(row, destinations[row["queue_id"]], lease) for row in rows]

    def _delivery_of(self, row: asyncpg.Record, destination: str, lease: Lease) -> Delivery:
        return Delivery(
            key=row["id"],
            day=row["day"],
            project_id=row["project_id"],
            kind=self._kinds.get(row["kind"]) or unknown_kind(row["kind"]),
            queue_id=row["queue_id"],
            destination=destination,
            source=row["source"],
            payload=row["payload"],
            lane=row["lane"],
            seq=row["seq"],
            attempts=row["attempts"],
            base=row["base"],
            lease=lease.id,
            lease_ends=lease.ends,
            expires_at=row["expires_at"],
            created_at=row["created_at"],
            conversation=row["conversation"],
            contact_id=row["contact_id"],
            event_type=row["event_type"],
            event_id=row["event_id"],
            traceparent=row["traceparent"],
            hops=row["hops"],
            superseded=row["superseded"],
        )
