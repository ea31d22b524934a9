"""Held conversations: an event that failed unexpectedly, or whose turn is deferred, holds its conversation; later ones wait.

That event is the first of the conversation's held ones. One `redrive` record on inbound, keyed by the conversation,
applies it and then the others, in the place in the stream where the record stands, each as any other event: an operator's, or the
engine's own where the first one is marked as deferred (flow_engine.programs.deferring).
"""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple
from uuid import uuid4

from contracts import inbound
from contracts.cloudevents import headers, now_text
from contracts.ids import derived_id, split_conversation_key
from flow_engine.batch import held_shares
from flow_engine.batch.decoding import decoded
from flow_engine.state.ids import conversation_id
from flow_engine.state.work import Work
from flow_engine.store.port import HeldEvent, Reads
from flow_engine.turn.event import Arrived
from servicekit.kafka.records import Outgoing, Record
from servicekit.loop.batches import DeadRecord

MOST_HELD = 1000
"""Events held of one conversation; what comes after goes to the dead-letter topic."""
MOST_BEHIND = 20 * MOST_HELD
"""Where they wait for a deferred turn each batch applies some, MOST_BYTES of them, from MOST_HELD on; so these are hardly reached."""
AT_ONCE = 100
"""Held events that one redrive record applies; it is followed by another while there are more."""
MOST_BYTES = 4 * 1024 * 1024
"""Of these events together, but for one; decoded they take four times as much, and are all in memory."""
READ_AT_ONCE = 16
"""Held events that one query reads, while there is room for more."""
ERROR_LIMIT = 1000
"""Characters that are kept of why an event failed."""


class RedrivenEvent(NamedTuple):
    """A held event in the place where its redrive stands; a DeadRecord where this release cannot read it any more."""

    position: int
    arrived: Arrived | DeadRecord


class Redriven(NamedTuple):
    """What one redrive applies of a conversation, by its id. `next`: the position of the first that is left for another one.

    `deferred`: the first one waits for its turn, and for no operator.
    """

    conversation: str
    events: list[RedrivenEvent]
    next: int | None
    deferred: bool
    size: int
    """Bytes of the events."""


async def redriven(reads: Reads, redrive: Arrived, limit: int = AT_ONCE) -> Redriven:
    """The next held events of a redrive's conversation."""
    conversation = conversation_id(redrive.key)
    held = await _next(reads, conversation, limit + 1, MOST_BYTES)
    sizes = list(accumulate(map(_size, held[:limit])))
    count = sum(size <= MOST_BYTES or not place for place, size in enumerate(sizes))
    events = [RedrivenEvent(one.position, decoded(as_if_at(one, redrive.record))) for one in held[:count]]
    left = held[count].position if len(held) > count else None
    size = sizes[count - 1] if count else 0
    return Redriven(conversation, events, left, deferred=bool(held) and held[0].deferred, size=size)


async def _next(reads: Reads, conversation: str, limit: int, most_bytes: int) -> list[HeldEvent]:
    """As many as `limit`, and little more than `most_bytes`."""
    held: list[HeldEvent] = []
    while len(held) < limit and sum(map(_size, held)) <= most_bytes:
        wanted = min(READ_AT_ONCE, limit - len(held))
        found = await reads.held(conversation, wanted, held[-1].position if held else 0)
        held += found
        if len(found) < wanted:
            break
    return held


def _size(event: HeldEvent) -> int:
    return len(event.value or b"")


def sentence(error: Exception) -> str:
    """Why an event failed, as it is kept."""
    return f"{type(error).__name__}: {error}".replace("\0", "")[:ERROR_LIMIT]


def hold(work: Work, record: Record, key: str, held_already: int, most: int = MOST_HELD) -> None:
    """Let an event wait behind those of its conversation that wait already, in the store or in this batch."""
    waiting = work.held.setdefault(key, [])
    if held_already + len(waiting) >= most:
        work.dead.append(DeadRecord(record, "failed", f"its conversation is held, with {most} events waiting"))
        return
    waiting.append(record)


def too_much_waits(record: Record) -> DeadRecord:
    """Where a conversation is held for an operator, and of its project too much waits."""
    return DeadRecord(
        record, "failed", f"its conversation is held, with {held_shares.MOST_BYTES} bytes of its project waiting"
    )


def as_if_at(held: HeldEvent, cause: Record) -> Record:
    """The record of a held event, in the place where the redrive stands."""
    return Record(
        cause.topic, cause.partition, cause.offset, held.record_ms, held.key, held.value, tuple(held.headers)
    )  # fmt: skip


def redrive(key: str, project_id: str, *, deferred: bool = False) -> Outgoing:
    """What has the held events of a conversation applied. `deferred`: only where they wait for a deferred turn."""
    now = now_text()
    bot_id, channel_id, peer_id = split_conversation_key(key)
    body = inbound.Redrive(
        project_id=project_id, bot_id=bot_id, channel_id=channel_id, peer_id=peer_id, received_at=now,
        deferred=deferred,
    )  # fmt: skip
    about = headers(
        id=str(uuid4()), type="inbound.redrive", source="switchhook/flow-engine", time=now, project=project_id
    )
    return Outgoing(inbound.TOPIC.name, key.encode(), body.encode(), about)


def next_redrive(arrived: Arrived) -> Outgoing:
    """The same redrive again, for the events that are left."""
    id = derived_id("redrive", arrived.event_id, arrived.record.offset)
    about = [
        (name, id.encode() if name == "ce_id" else value)
        for name, value in arrived.record.headers
        if value is not None and not name.startswith("src-")
    ]
    return Outgoing(inbound.TOPIC.name, arrived.record.key, arrived.record.value, about)
