"""Held conversations (hardening 17): an event that failed unexpectedly holds its conversation, later ones wait in order.

The failed event is the first of the conversation's `held` rows. One `redrive` record on inbound, keyed by the conversation,
applies it and then the others, in the place in the stream where the record stands.
"""

from __future__ import annotations

from typing import Any

import msgspec
import structlog

from flow_engine.state.work import Work, conversation_id
from servicekit.kafka.records import Record
from servicekit.loop.batches import Connection, DeadRecord

MOST_HELD = 1000
"""Events held of one conversation; what comes after goes to the dead-letter topic."""
AT_ONCE = 100
"""Held events that one redrive record applies; it is followed by another while there are more."""
_HOLD_FAILED = """
INSERT INTO held (conversation, part, record_offset, record_ms, key, value, headers, error)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_HELD = """
SELECT position, part, record_offset, record_ms, key, value, headers FROM held
 WHERE conversation = $1 ORDER BY position LIMIT $2
"""
_COUNT = "SELECT conversation, count(*) FROM held WHERE conversation = ANY ($1::uuid[]) GROUP BY 1"
_headers_decoder = msgspec.msgpack.Decoder(tuple[tuple[str, bytes | None], ...])

log = structlog.get_logger()


async def hold_failed(connection: Connection, record: Record, key: str, error: Exception) -> None:
    """Hold the conversation from this record on."""
    await connection.execute(_HOLD_FAILED, *_row(record, key), f"{type(error).__name__}: {error}"[:1000])
    log.error("conversation.held", conversation=key, offset=record.offset, error=repr(error))


def hold(work: Work, record: Record, key: str, held_already: int) -> None:
    """Let an event wait behind those of its conversation that wait already."""
    if held_already >= MOST_HELD:
        work.dead.append(DeadRecord(record, "failed", f"its conversation is held, with {MOST_HELD} events waiting"))
        return
    work.held.setdefault(key, []).append(record)


def held_rows(work: Work) -> list[tuple[Any, ...]]:
    """The rows of what this batch lets wait."""
    return [(*_row(record, key), None) for key, records in work.held.items() for record in records]


def _row(record: Record, key: str) -> tuple[Any, ...]:
    headers = msgspec.msgpack.encode(record.headers)
    return conversation_id(key), record.partition, record.offset, record.timestamp, record.key, record.value, headers


async def counts(connection: Connection, ids: list[str]) -> dict[str, int]:
    """How many events wait, by conversation id."""
    return {str(row[0]): row[1] for row in await connection.fetch(_COUNT, ids)} if ids else {}


async def held_records(connection: Connection, key: str, cause: Record) -> list[tuple[int, Record]]:
    """(position, record) of the next AT_ONCE held events, as if they stood where `cause` stands."""
    rows = await connection.fetch(_HELD, conversation_id(key), AT_ONCE)
    return [(row["position"], _record(row, cause)) for row in rows]


def _record(row: Any, cause: Record) -> Record:
    headers = _headers_decoder.decode(row["headers"])
    return Record(cause.topic, cause.partition, cause.offset, row["record_ms"], row["key"], row["value"], headers)
