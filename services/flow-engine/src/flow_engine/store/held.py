"""Held events: the one that failed, with its error, and those of its conversation that came after it, in order."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from contracts.cloudevents import PROJECT
from flow_engine.state.ids import conversation_id
from flow_engine.state.rows import TurnOf
from flow_engine.state.work import Work
from flow_engine.store.port import HeldEvent
from servicekit.columns import Columns
from servicekit.kafka.records import Headers, Record
from servicekit.loop.batches import Connection


class HeldRow(NamedTuple):
    """A row of `held`. `headers` are MessagePack; `error` only the first of a conversation has, and only if it failed."""

    conversation: str
    part: int
    record_offset: int
    record_ms: int
    key: bytes | None
    value: bytes | None
    headers: bytes
    error: str | None


class ReleasedRow(NamedTuple):
    """A held event that a redrive has applied."""

    conversation: str
    position: int


HELD = Columns(HeldRow, "uuid int bigint bigint bytea bytea bytea text")
RELEASED = Columns(ReleasedRow, "uuid bigint")
HOLD = HELD.insert("held")
RELEASE = f"""
DELETE FROM held h USING {RELEASED.unnest()} WHERE h.conversation = u.conversation AND h.position = u.position
"""
BLAME = """
UPDATE held SET error = $2 WHERE (conversation, position) = (
    SELECT conversation, position FROM held WHERE conversation = $1 ORDER BY position LIMIT 1
)
"""
_DEFERRED = """
SELECT h.part, h.key, h.headers FROM held h
 WHERE h.part = ANY ($1::int[]) AND h.error IS NULL
   AND NOT EXISTS (SELECT FROM held o WHERE o.conversation = h.conversation AND o.position < h.position)
 ORDER BY h.position
"""
_NEXT = """
SELECT position, record_ms, key, value, headers, error IS NOT NULL AS has_failed FROM held WHERE conversation = $1 ORDER BY position LIMIT $2
"""
_COUNT = "SELECT conversation, count(*) FROM held WHERE conversation = ANY ($1::uuid[]) GROUP BY 1"
_headers_decoder = msgspec.msgpack.Decoder(tuple[tuple[str, bytes | None], ...])


def row(record: Record, key: str, error: str | None = None) -> HeldRow:
    """The row of an event that waits."""
    headers = msgspec.msgpack.encode(record.headers)
    return HeldRow(
        conversation_id(key), record.partition, record.offset, record.timestamp, record.key, record.value, headers, error
    )  # fmt: skip


def rows(work: Work) -> list[HeldRow]:
    """The rows of what a batch lets wait."""
    return [row(record, key) for key, records in work.held.items() for record in records]


async def counts(connection: Connection, ids: list[str]) -> dict[str, int]:
    """How many events wait, by conversation id."""
    return {str(id): count for id, count in await connection.fetch(_COUNT, ids)} if ids else {}


async def events(connection: Connection, conversation: str, limit: int) -> list[HeldEvent]:
    """The next that wait, in order."""
    return [_event(found) for found in await connection.fetch(_NEXT, conversation, limit)]


def _event(found: Any) -> HeldEvent:
    headers = _headers_decoder.decode(found["headers"])
    return HeldEvent(
        found["position"], found["record_ms"], found["key"], found["value"], headers, found["has_failed"]
    )  # fmt: skip


async def deferred(connection: Connection, parts: list[int]) -> list[TurnOf]:
    """The conversations whose first held event has not failed."""
    return [
        TurnOf(row["part"], row["key"].decode(), project_of(_headers_decoder.decode(row["headers"])))
        for row in await connection.fetch(_DEFERRED, parts)
    ]


def project_of(headers: Headers) -> str:
    """The project that a record's headers name; empty where they name none."""
    return (dict(headers).get(PROJECT) or b"").decode(errors="replace")
