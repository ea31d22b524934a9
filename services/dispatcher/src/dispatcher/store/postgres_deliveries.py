"""All SQL of deliveries on their way: taken over, claimed, unblocked, recorded. Times are Postgres's own."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from uuid import UUID, uuid4

import asyncpg

from dispatcher.model.delivery import Delivery, DeliveryKind, Result, unknown_kind
from servicekit.loop.batches import Connection

Row = asyncpg.Record

_INSERT = """
WITH arrived AS (
    SELECT u.*,
           CASE WHEN coalesce(u.state, '') <> 'discarded' AND u.lane IS NOT NULL AND (u.place > 0 OR EXISTS (
                    SELECT FROM delivery d
                     WHERE d.lane = u.lane AND d.finished_at IS NULL AND d.day > CURRENT_DATE - 7))
                THEN 'blocked' ELSE coalesce(u.state, 'in_flight') END AS first_state
      FROM unnest($1::uuid[], $2::date[], $3::text[], $4::text[], $5::int[], $6::text[], $7::text[], $8::bigint[],
                  $9::int[], $10::text[], $11::timestamptz[], $12::text[], $13::text[], $14::text[], $15::text[],
                  $16::text[], $17::smallint[], $18::text[], $19::bytea[])
        AS u(id, day, project_id, kind, queue_id, source, lane, seq, place, state, expires_at, conversation,
             contact_id, event_type, event_id, traceparent, hops, error, payload)
), unlooked AS (
    SELECT id FROM queue
     WHERE id = ANY ($22::int[]) AND (next_due IS NULL OR next_due > now() + $20::interval) ORDER BY id FOR UPDATE
), looked AS (
    UPDATE queue q SET next_due = least(q.next_due, now() + $20::interval) FROM unlooked WHERE q.id = unlooked.id
)
INSERT INTO delivery (id, day, project_id, kind, queue_id, source, lane, seq, state, attempts, due, lease, expires_at,
                      finished_at, conversation, contact_id, event_type, event_id, traceparent, hops, error, payload)
SELECT id, day, project_id, kind, queue_id, source, lane, seq, first_state,
       CASE first_state WHEN 'in_flight' THEN 1 ELSE 0 END,
       CASE first_state WHEN 'in_flight' THEN now() + $20::interval WHEN 'pending' THEN now() END,
       CASE first_state WHEN 'in_flight' THEN $21::uuid END,
       expires_at,
       CASE first_state WHEN 'discarded' THEN now() END,
       conversation, contact_id, event_type, event_id, traceparent, coalesce(hops, 0), error, payload
  FROM arrived
ON CONFLICT (id, day) DO NOTHING
RETURNING id, state
"""
_LOOK_BY = """
WITH sooner AS (
    SELECT q.id, u.due
      FROM queue q JOIN (
        SELECT id, now() + min(seconds) * interval '1 second' AS due
          FROM unnest($1::int[], $2::float8[]) AS p(id, seconds) GROUP BY id) u USING (id)
     ORDER BY q.id FOR UPDATE OF q
)
UPDATE queue q SET next_due = least(q.next_due, sooner.due) FROM sooner WHERE q.id = sooner.id
"""
ROW = """
RETURNING d.id, d.day, d.project_id, d.kind, d.queue_id, d.source, d.lane, d.seq, d.attempts, d.base, d.expires_at,
       d.created_at, d.conversation, d.contact_id, d.event_type, d.event_id, d.traceparent, d.hops, d.payload
"""
_UNBLOCK = (
    """
WITH head AS (
    SELECT DISTINCT ON (lane) id, day, state FROM delivery
     WHERE lane = ANY ($1::text[]) AND finished_at IS NULL AND day > CURRENT_DATE - 7
     ORDER BY lane, seq
)
UPDATE delivery d SET state = 'in_flight', attempts = d.attempts + 1, due = now() + $2::interval, lease = $3
  FROM head WHERE d.id = head.id AND d.day = head.day AND d.state = 'blocked'
"""
    + ROW
)
_CLAIM = (
    """
WITH picked AS (
    SELECT id, day FROM delivery WHERE queue_id = $1 AND due <= now() ORDER BY due LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE delivery d SET state = 'in_flight', attempts = d.attempts + 1, due = now() + $3::interval, lease = $4
  FROM picked WHERE d.id = picked.id AND d.day = picked.day
"""
    + ROW
)
_END_OF_DAY = (
    """
WITH old AS (SELECT id FROM delivery WHERE day = $1 AND finished_at IS NULL LIMIT 500)
UPDATE delivery d SET state = 'discarded', error = $2, due = NULL, lease = NULL, finished_at = now()
  FROM old WHERE d.id = old.id AND d.day = $1
"""
    + ROW
)
_DUE_QUEUES = """
SELECT id, destination, source FROM queue
 WHERE next_due <= now() AND (source = '' OR source = ANY ($1::text[])) ORDER BY next_due LIMIT 500
"""
_LOCK_QUEUE = "SELECT id FROM queue WHERE id = $1 FOR UPDATE"
_NEXT_DUE = """
UPDATE queue q SET next_due = (SELECT min(d.due) FROM delivery d WHERE d.queue_id = q.id AND d.due IS NOT NULL)
 WHERE q.id = $1
"""
_DEFER_QUEUE = "UPDATE queue SET next_due = now() + $2::interval WHERE id = $1"
_SWEEP = """
WITH found AS (
    SELECT id, (SELECT min(d.due) FROM delivery d WHERE d.queue_id = queue.id AND d.due IS NOT NULL) AS due FROM queue
), late AS (
    SELECT q.id, found.due FROM queue q JOIN found USING (id)
     WHERE found.due < now() + interval '1 minute' AND (q.next_due IS NULL OR q.next_due > found.due)
     ORDER BY q.id FOR UPDATE OF q
)
UPDATE queue q SET next_due = late.due FROM late WHERE q.id = late.id
"""
_TAKE_LEASES = """
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
_RECORD = """
WITH result AS (
    SELECT * FROM unnest($1::uuid[], $2::date[], $3::uuid[], $4::text[], $5::smallint[], $6::text[], $7::float8[],
                         $8::timestamptz[], $9::int[], $10::smallint[], $11::text[], $12::bytea[], $13::bytea[])
        AS u(id, day, lease, state, attempts, detail, delay, started_at, took_ms, status, code, request, response)
), done AS (
    UPDATE delivery d
       SET state = u.state, attempts = u.attempts, error = u.detail, lease = NULL,
           due = CASE WHEN u.delay IS NOT NULL THEN now() + u.delay * interval '1 second' END,
           finished_at = CASE WHEN u.delay IS NULL THEN now() END
      FROM result u
     WHERE d.id = u.id AND d.day = u.day AND d.lease = u.lease
    RETURNING d.id, d.day
), gone AS (
    DELETE FROM result_outbox WHERE name = ANY ($14::uuid[])
), well AS (
    UPDATE destination SET failures = 0, failing_since = NULL, told = false, updated_at = now()
     WHERE name = ANY ($15::text[]) AND failures > 0
), noted AS (
    INSERT INTO attempt (delivery_id, day, number, started_at, took_ms, outcome, status, code, detail, request, response)
    SELECT id, day, attempts, started_at, took_ms, CASE state WHEN 'retrying' THEN 'retry' ELSE state END, status, code,
           detail, request, response
      FROM result JOIN done USING (id, day) WHERE request IS NOT NULL
)
SELECT id FROM done
"""


class Lease:
    """One grant: its id in Postgres, and its end on our monotonic clock, which was read before Postgres's."""

    def __init__(self, seconds: float) -> None:
        self.id, self.ends, self.interval = uuid4(), time.monotonic() + seconds, timedelta(seconds=seconds)


async def take_over(connection: Connection, deliveries: Sequence[Delivery], lease: Lease) -> dict[UUID, str]:
    """Insert rows, inside the fenced transaction: id -> state of those that were not there yet.

    Those in state `in_flight` are leased; whoever's lane has an unfinished row is `blocked`. That their queues are looked
    at when the leases end may be missed by a hair, which the sweep mends; it matters after a crash only.
    """
    places: dict[str, int] = {}
    columns = [_column_values(each, _place(each, places)) for each in deliveries]
    queues = sorted({each.queue_id for each in deliveries if each.state != "discarded"})
    rows = await connection.fetch(_INSERT, *_arrays(columns), lease.interval, lease.id, queues)
    pending = {(each.queue_id, 0.0) for each in deliveries if each.state == "pending"}
    await _look_by(connection, pending)
    return {row["id"]: row["state"] for row in rows}


def _place(delivery: Delivery, places: dict[str, int]) -> int:
    """How many of the batch stand before it in its lane."""
    if delivery.lane is None or delivery.state == "discarded":
        return 0
    place = places.get(delivery.lane, 0)
    places[delivery.lane] = place + 1
    return place


def _column_values(one: Delivery, place: int) -> tuple[object, ...]:
    """What is usual is None: see _arrays."""
    return (
        one.key, one.day, one.project_id, one.kind.name, one.queue_id, one.source, one.lane, one.seq, place or None,
        None if one.state == "in_flight" else one.state, one.expires_at, one.conversation, one.contact_id,
        one.event_type, one.event_id, one.traceparent, one.hops or None, one.error, one.payload,
    )  # fmt: skip


async def unblock(connection: Connection, lanes: Iterable[str], lease: Lease) -> list[Row]:
    """Lease the head of each lane whose head is blocked. Only the lanes' owner calls this."""
    return list(await connection.fetch(_UNBLOCK, sorted(lanes), lease.interval, lease.id))


async def claim(connection: Connection, queue_id: int, limit: int, lease: Lease) -> list[Row]:
    """Lease at most `limit` due rows of a queue, the longest due first."""
    return list(await connection.fetch(_CLAIM, queue_id, limit, lease.interval, lease.id))


async def end_of_day(connection: Connection, day: date, why: str) -> list[Row]:
    """End some of what is unfinished of a day; none when there is nothing left of it."""
    return list(await connection.fetch(_END_OF_DAY, day, why))


async def due_queues(connection: Connection, sources: Iterable[str]) -> list[Row]:
    """{id, destination, source} of queues in which something may be due: the common ones, and these sources' own."""
    return list(await connection.fetch(_DUE_QUEUES, sorted(sources)))


async def look_again(connection: Connection, queue_id: int) -> None:
    """The queue's next look: when its first row is due.

    The lock comes first and in a statement of its own: who adds rows takes it after them, so that either they are seen
    here or their own time for the next look comes after ours.
    """
    async with connection.transaction():
        await connection.execute(_LOCK_QUEUE, queue_id)
        await connection.execute(_NEXT_DUE, queue_id)


async def _look_by(connection: Connection, looks: Iterable[tuple[int, float]]) -> None:
    """See to it that queues (id, seconds from now) are looked at by then. After the rows, in their transaction."""
    pairs = list(looks)
    if pairs:
        await connection.execute(_LOOK_BY, [queue for queue, _ in pairs], [seconds for _, seconds in pairs])


async def defer_queue(connection: Connection, queue_id: int, seconds: float) -> None:
    """Do not look at the queue for so long, whatever is due in it: its destination takes nothing."""
    await connection.execute(_DEFER_QUEUE, queue_id, timedelta(seconds=seconds))


async def sweep(connection: Connection) -> None:
    """Mend queues whose next look is later than what is due in them (a look and a crash at the same moment)."""
    await connection.execute(_SWEEP)


async def take_leases(connection: Connection, sources: Iterable[str], on_the_wire: Iterable[UUID]) -> None:
    """A new owner of ordered lanes makes their heads due, leased by a predecessor or left blocked by its crash.

    What it is sending itself goes on.
    """
    await connection.execute(_TAKE_LEASES, sorted(sources), list(on_the_wire))


async def record(
    connection: Connection, results: Sequence[Result], well: Sequence[str], published: Sequence[UUID]
) -> set[UUID]:
    """Save outcomes and attempts where the lease is still ours; the ids of those that were.

    In the same statement: the destinations that are `well`, and the rows of the result outbox that Kafka has.
    """
    columns = _arrays([_result_values(each) for each in results])
    rows = await connection.fetch(_RECORD, *columns, published, well)
    await _look_by(connection, [(each.delivery.queue_id, each.delay) for each in results if each.delay is not None])
    return {row["id"] for row in rows}


def _result_values(one: Result) -> tuple[object, ...]:
    delivery, attempts = one.delivery, one.delivery.attempts - (one.outcome == "deferred")
    ended = (delivery.key, delivery.day, delivery.lease, state_after(one), attempts, _text(one.detail), one.delay)
    made = one.attempt
    if made is None:
        return (*ended, None, None, None, one.code, None, None)
    return (*ended, made.started_at, made.took_ms, made.status, one.code, made.request, made.response)


def _arrays(rows: list[tuple[object, ...]]) -> list[list[object] | None]:
    """One array a column; a column without any value is None, which costs nothing and reads as nulls."""
    return [None if column.count(None) == len(column) else list(column) for column in zip(*rows, strict=True)]


def _text(detail: str | None) -> str | None:
    """A receiver's words as Postgres can keep them."""
    return None if detail is None else detail.replace("\x00", "")[:1000]


def state_after(result: Result) -> str:
    """The row's state once the result is recorded."""
    if result.outcome == "deferred":
        return "pending" if result.delivery.attempts <= 1 else "retrying"
    return "retrying" if result.outcome == "retry" else result.outcome


def delivery_of(row: Row, destination: str, lease: Lease, kinds: Mapping[str, DeliveryKind]) -> Delivery:
    """A row that `claim` or `unblock` gave, as it travels through this process."""
    return Delivery(
        key=row["id"],
        day=row["day"],
        project_id=row["project_id"],
        kind=kinds.get(row["kind"]) or unknown_kind(row["kind"]),
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
    )
