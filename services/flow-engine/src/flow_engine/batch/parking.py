"""Held conversations: an event that failed unexpectedly, or whose turn is deferred, holds its conversation; later ones wait.

That event is the first of the conversation's held ones. One `redrive` record on inbound, keyed by the conversation, applies
it and then the others, in the place in the stream where the record stands: an operator's where it failed, the engine's own
where it was deferred (flow_engine.programs.deferring). Only an event that failed is kept with its error.
"""

from __future__ import annotations

from contracts import inbound
from contracts.cloudevents import headers, now_text
from contracts.ids import derived_id, split_conversation_key
from flow_engine.state.rows import TurnOf
from flow_engine.state.work import Work
from flow_engine.store.port import HeldEvent
from flow_engine.turn.event import Arrived
from servicekit.kafka.records import Outgoing, Record
from servicekit.loop.batches import DeadRecord

MOST_HELD = 1000
"""Events held of one conversation; what comes after goes to the dead-letter topic."""
AT_ONCE = 100
"""Held events that one redrive record applies; it is followed by another while there are more."""


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


def next_redrive(arrived: Arrived) -> Outgoing:
    """The same redrive again, for the events that are left."""
    id = derived_id("redrive", arrived.event_id, arrived.record.offset)
    headers = [
        (name, id.encode() if name == "ce_id" else value)
        for name, value in arrived.record.headers
        if value is not None and not name.startswith("src-")
    ]
    return Outgoing(inbound.TOPIC.name, arrived.record.key, arrived.record.value, headers)


def wake(whose: TurnOf) -> Outgoing:
    """The redrive of a conversation whose first event's turn was deferred."""
    bot_id, channel_id, peer_id = split_conversation_key(whose.key)
    now = now_text()
    body = inbound.Redrive(
        project_id=whose.project,
        bot_id=bot_id,
        channel_id=channel_id,
        peer_id=peer_id,
        received_at=now,
        deferred=True,
    )
    about = headers(
        id=derived_id("deferred", whose.key, now),
        type="inbound.redrive",
        source="switchhook/flow-engine",
        time=now,
        project=whose.project,
    )
    return Outgoing(inbound.TOPIC.name, whose.key.encode(), body.encode(), about)
