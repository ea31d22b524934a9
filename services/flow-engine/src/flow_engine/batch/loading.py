"""Everything that the records of a batch ask for, read before the first of them is applied."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from contracts.ids import split_conversation_key
from flow_engine.batch import finding
from flow_engine.batch.decoding import Arrived
from flow_engine.state.seen import contains, fingerprint
from flow_engine.state.work import Talk, Work, conversation_id
from flow_engine.store import parking, postgres_load
from flow_engine.turn import event_log
from flowlang.model import Conversation
from servicekit.kafka.records import Record
from servicekit.loop.batches import Connection


@dataclass(slots=True)
class Loaded:
    """A batch's Work, and what else its records ask for."""

    work: Work = field(default_factory=Work)
    found: dict[finding.Named, finding.Found] = field(default_factory=dict)
    backlogs: dict[tuple[str, int], list[dict[str, Any]]] = field(default_factory=dict)
    """By conversation key and the `after` of an attach."""
    redriven: dict[str, list[tuple[int, Record]]] = field(default_factory=dict)
    """By conversation key: held events that a redrive of this batch applies."""
    held_counts: dict[str, int] = field(default_factory=dict)


async def load(connection: Connection, batch: list[Arrived]) -> Loaded:
    """Read it. Rare things cost a query only when a record asks for them."""
    loaded = Loaded()
    work = loaded.work
    talks = {a.key: a for a in batch if not a.person_keyed}
    rows = await postgres_load.load(connection, talks) if talks else {}
    for key, row in rows.items():
        work.talks[key] = row.talk or Talk(conversation_id(key), _unknown(talks[key]), None)
        work.talks[key].held = row.held
        if row.contact is not None:
            work.contacts.setdefault(row.contact.id, row.contact)
    timers = [a.body.timer_id for a in batch if a.body.kind == "timer"]
    work.timers_found = await postgres_load.timers(connection, timers)
    names = [name for a in batch if a.person_keyed and (name := finding.named(a))]
    loaded.found = await finding.find(connection, names) if names else {}
    for arrived in batch:
        if arrived.body.kind == "attach":
            place = (arrived.key, arrived.body.after)
            loaded.backlogs[place] = await postgres_load.backlog(connection, conversation_id(arrived.key), place[1])
        elif arrived.body.kind == "redrive":
            loaded.redriven[arrived.key] = await parking.held_records(connection, arrived.key, arrived.record)
    await _load_held(connection, loaded)
    await _load_repeats(connection, work, batch)
    return loaded


def _unknown(arrived: Arrived) -> Conversation:
    """A conversation that has no row yet."""
    bot_id, channel_id, peer_id = split_conversation_key(arrived.key)
    return Conversation(
        key=arrived.key,
        project_id=arrived.body.project_id,
        bot_id=bot_id,
        channel_id=channel_id,
        channel_type=arrived.body.channel_type or "",
        peer_id=peer_id,
        contact_id="",
        chat=getattr(arrived.body, "chat", "private"),
    )


async def _load_held(connection: Connection, loaded: Loaded) -> None:
    held = [talk.id for talk in loaded.work.talks.values() if talk.held]
    counts = await parking.counts(connection, held)
    loaded.held_counts = {talk.conversation.key: counts.get(talk.id, 0) for talk in loaded.work.talks.values()}


async def _load_repeats(connection: Connection, work: Work, batch: list[Arrived]) -> None:
    """Outcomes of events that were applied before and whose repeats want an answer."""
    asked = [
        arrived.event_id
        for arrived in batch
        if arrived.body.reply_to is not None
        and not arrived.person_keyed
        and contains(work.talks[arrived.key].seen, fingerprint(arrived.event_id))
    ]
    if asked:
        work.outcomes = await event_log.outcomes(connection, asked)
