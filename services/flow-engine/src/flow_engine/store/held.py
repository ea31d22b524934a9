"""Held events: the one that failed, with its error, and those of its conversation that came after it, in order."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
import orjson

from contracts import cloudevents
from contracts.cloudevents import PROJECT
from flow_engine.state.ids import conversation_id
from flow_engine.state.rows import TurnOf
from flow_engine.state.work import Work
from flow_engine.store.port import HeldConversation, HeldEvent
from servicekit.columns import Columns
from servicekit.kafka.records import Headers, Record
from servicekit.loop.batches import Connection


class HeldRow(NamedTuple):
    """A row of `held`. `headers` are MessagePack; `error` has the event that failed, not those behind it.

    `deferred`: the first of its conversation, which waits for its turn and for no operator. `event_id` and `digest` (its
    `request_digest`) are those of an event that has one.
    """

    conversation: str
    part: int
    record_offset: int
    record_ms: int
    key: bytes | None
    value: bytes | None
    headers: bytes
    error: str | None
    deferred: bool
    event_id: str | None
    digest: str | None
    project: str


class PlaceRow(NamedTuple):
    """A held event, by its place."""

    conversation: str
    position: int


HELD = Columns(HeldRow, "uuid int bigint bigint bytea bytea bytea text bool text text text")
RELEASED = Columns(PlaceRow, "uuid bigint")
HOLD = HELD.insert("held")
RELEASE = f"""
DELETE FROM held h USING {RELEASED.unnest()} WHERE h.conversation = u.conversation AND h.position = u.position
"""
DEFER = f"UPDATE held h SET deferred = true FROM {RELEASED.unnest()} WHERE h.conversation = u.conversation AND h.position = u.position"
_DEFERRED = "SELECT part, key, headers FROM held WHERE deferred AND part = ANY ($1::int[]) ORDER BY position"
_NEXT = """
SELECT position, record_ms, key, value, headers, error, held_at, deferred
  FROM held WHERE conversation = $1 AND position > $2 ORDER BY position LIMIT $3
"""
_CONVERSATIONS = """
SELECT conversation, convert_from((array_agg(key ORDER BY position))[1], 'UTF8') AS key, count(*) AS events,
       min(held_at) AS since, (array_agg(error ORDER BY position) FILTER (WHERE error IS NOT NULL))[1] AS error
  FROM held WHERE $1::uuid IS NULL OR conversation > $1 GROUP BY conversation
HAVING NOT bool_or(deferred) ORDER BY conversation LIMIT $2
"""
_FAILED = "UPDATE held SET error = $3, deferred = false WHERE conversation = $1 AND position = $2"
_DISCARD = "DELETE FROM held WHERE conversation = $1 AND ($2::bigint[] IS NULL OR position = ANY ($2))"
_SIZE = "SELECT coalesce(sum(octet_length(value) + $2), 0)::bigint FROM held WHERE project = $1"
ROW_BYTES = 512
"""What a row takes beside its value."""
_COUNT = "SELECT conversation, count(*) FROM held WHERE conversation = ANY ($1::uuid[]) GROUP BY 1"
_DIGESTS = "SELECT event_id, digest FROM held WHERE event_id = ANY ($1::text[]) ORDER BY position DESC"
_headers_decoder = msgspec.msgpack.Decoder(tuple[tuple[str, bytes | None], ...])


def row(record: Record, key: str, error: str | None = None, *, deferred: bool = False) -> HeldRow:
    """The row of an event that waits."""
    headers, digest = msgspec.msgpack.encode(record.headers), digest_of(record.value)
    event_id = cloudevents.header(record.headers, "ce_id") if digest is not None else None
    return HeldRow(
        conversation_id(key), record.partition, record.offset, record.timestamp, record.key, record.value, headers,
        error, deferred, event_id, digest, project_of(record.headers),
    )  # fmt: skip


def rows(work: Work) -> list[HeldRow]:
    """The rows of what a batch lets wait."""
    return [
        row(record, key, deferred=place == 0 and key in work.deferred)
        for key, records in work.held.items()
        for place, record in enumerate(records)
    ]


def digest_of(value: bytes | None) -> str | None:
    """The `request_digest` of the event that a record's value is; None also of what cannot be read."""
    if value is None or b'"request_digest"' not in value:
        return None
    try:
        found = orjson.loads(value).get("request_digest")
    except (ValueError, AttributeError):
        return None
    return found if isinstance(found, str) else None


async def digests(connection: Connection, event_ids: list[str]) -> dict[str, str]:
    """Of those of these events that wait: what they asked for, by event id; of two under one id the first counts."""
    rows = await connection.fetch(_DIGESTS, event_ids) if event_ids else []
    return {row["event_id"]: row["digest"] for row in rows}


async def counts(connection: Connection, ids: list[str]) -> dict[str, int]:
    """How many events wait, by conversation id."""
    return {str(id): count for id, count in await connection.fetch(_COUNT, ids)} if ids else {}


async def size(connection: Connection, project: str) -> int:
    """Bytes of a project's events that wait."""
    found: int = await connection.fetchval(_SIZE, project, ROW_BYTES)
    return found


async def events(connection: Connection, conversation: str, limit: int, after: int | None = None) -> list[HeldEvent]:
    """The next that wait behind the position `after`, in order."""
    return [_event(found) for found in await connection.fetch(_NEXT, conversation, after or 0, limit)]


async def conversations(connection: Connection, after: str | None, limit: int) -> list[HeldConversation]:
    """In the order of their ids."""
    rows = await connection.fetch(_CONVERSATIONS, after, limit)
    return [
        HeldConversation(str(row["conversation"]), row["key"], row["events"], row["since"], row["error"])
        for row in rows
    ]


async def failed(connection: Connection, conversation: str, position: int, error: str) -> None:
    """Note why an event failed."""
    await connection.execute(_FAILED, conversation, position, error)


async def discard(connection: Connection, conversation: str, positions: list[int] | None) -> int:
    """Forget these, None: all; how many there were."""
    done = await connection.execute(_DISCARD, conversation, positions)
    return int(done.removeprefix("DELETE "))


def _event(found: Any) -> HeldEvent:
    return HeldEvent(
        found["position"],
        found["record_ms"],
        found["key"],
        found["value"],
        _headers_decoder.decode(found["headers"]),
        found["error"],
        found["held_at"],
        found["deferred"],
    )


async def deferred(connection: Connection, parts: list[int]) -> list[TurnOf]:
    """The conversations that wait for a deferred turn."""
    return [
        TurnOf(row["part"], row["key"].decode(), project_of(_headers_decoder.decode(row["headers"])))
        for row in await connection.fetch(_DEFERRED, parts)
    ]


def project_of(headers: Headers) -> str:
    """The project that a record's headers name; empty where they name none."""
    return (dict(headers).get(PROJECT) or b"").decode(errors="replace")
