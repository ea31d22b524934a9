"""Held conversations: an event that failed unexpectedly holds its conversation, and later ones wait in order.

The failed event is the first of the conversation's held ones. One `redrive` record on inbound, keyed by the conversation,
applies it and then the others, in the place in the stream where the record stands, each as any other event.
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import uuid4

from contracts import inbound
from contracts.cloudevents import headers, now_text
from contracts.ids import derived_id, split_conversation_key
from flow_engine.batch.decoding import decoded
from flow_engine.state.ids import conversation_id
from flow_engine.state.work import Work
from flow_engine.store.port import HeldEvent, Reads
from flow_engine.turn.event import Arrived
from servicekit.kafka.records import Outgoing, Record
from servicekit.loop.batches import DeadRecord

MOST_HELD = 1000
"""Events held of one conversation; what comes after goes to the dead-letter topic."""
AT_ONCE = 100
"""Held events that one redrive record applies; it is followed by another while there are more."""
ERROR_LIMIT = 1000
"""Characters that are kept of why an event failed."""


class RedrivenEvent(NamedTuple):
    """A held event in the place where its redrive stands; a DeadRecord where this release cannot read it any more."""

    position: int
    arrived: Arrived | DeadRecord


class Redriven(NamedTuple):
    """What one redrive applies of a conversation, by its id. `more`: another one follows for the rest."""

    conversation: str
    events: list[RedrivenEvent]
    more: bool


async def redriven(reads: Reads, redrive: Arrived) -> Redriven:
    """The next held events of a redrive's conversation."""
    conversation = conversation_id(redrive.key)
    held = await reads.held(conversation, AT_ONCE + 1)
    events = [RedrivenEvent(one.position, decoded(as_if_at(one, redrive.record))) for one in held[:AT_ONCE]]
    return Redriven(conversation, events, more=len(held) > AT_ONCE)


def sentence(error: Exception) -> str:
    """Why an event failed, as it is kept."""
    return f"{type(error).__name__}: {error}".replace("\0", "")[:ERROR_LIMIT]


def hold(work: Work, record: Record, key: str, held_already: int) -> None:
    """Let an event wait behind those of its conversation that wait already, in the store or in this batch."""
    waiting = work.held.setdefault(key, [])
    if held_already + len(waiting) >= MOST_HELD:
        work.dead.append(DeadRecord(record, "failed", f"its conversation is held, with {MOST_HELD} events waiting"))
        return
    waiting.append(record)


def as_if_at(held: HeldEvent, cause: Record) -> Record:
    """The record of a held event, in the place where the redrive stands."""
    return Record(
        cause.topic, cause.partition, cause.offset, held.record_ms, held.key, held.value, tuple(held.headers)
    )  # fmt: skip


def redrive(key: str, project_id: str) -> Outgoing:
    """What has the held events of a conversation applied."""
    now = now_text()
    bot_id, channel_id, peer_id = split_conversation_key(key)
    body = inbound.Redrive(
        project_id=project_id, bot_id=bot_id, channel_id=channel_id, peer_id=peer_id, received_at=now
    )
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
