"""A log that is not the one from before: readiness has to say so, and after the documented repair everything goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from contracts import actions, events, inbound
from operations.checkpoints import Checkpoint, Log, range_problem, repair
from servicekit.checkpoints.fence import topic_of
from servicekit.kafka.records import record_id
from simulation.database import Database
from simulation.machines import Process
from simulation.world import PARTITIONS, World
from support.checkpoints_in_memory import Place

TOPICS = (inbound.TOPIC.name, actions.TOPIC.name, events.TOPIC.name)
RED_SECONDS = 30.0
"""Within this somebody's readiness has to name the topic."""


def damage(world: World, how: str) -> str:
    """Make a topic anew, or cut off its last records; which one. Everything in it has been applied."""
    topic = world.chance.choice(TOPICS)
    world.trace(f"{topic} is {how}")
    if how == "grown":
        _grow(world, topic)
        return topic
    if how == "cut off and written on":
        _write_on(world, topic)
        return topic
    if how == "made anew":
        world.log.create(topic, PARTITIONS)
        return topic
    for number, part in enumerate(world.log.topics[topic]):
        world.log.cut_off(topic, number, max(part.start, part.end - world.chance.randint(0, 3)))
    return topic


def _grow(world: World, topic: str) -> None:
    """It has one partition more, and its groups hear of it."""
    world.log.grow(topic)
    for (_, of), group in world.kafka.groups.items():
        if of == topic:
            group.grow(len(world.log.topics[topic]))


def _write_on(world: World, topic: str) -> None:
    """Another leader has lost the last records, and takes as many and one more, before anybody looks."""
    for number, part in enumerate(world.log.topics[topic]):
        lost = min(part.end - part.start, world.chance.randint(1, 3))
        world.log.cut_off(topic, number, part.end - lost)
        world.log.append(topic, number, [(b"spoilt", b"{", [])] * (lost + 1) * bool(lost))


def begun(world: World, topic: str) -> str | None:
    """That a partition which came later is at work before the others, if it is."""
    new = len(world.log.topics[topic]) - 1
    if new >= PARTITIONS and any((topic, new) in database.checkpoints.rows for database in world.databases):
        return f"{topic}/{new} was begun while the others wait for an operator"
    return None


async def said(world: World, processes: Sequence[Process], topic: str, *, unread: bool) -> str | None:
    """What is wrong with what readiness says: None when it names the topic, or nothing waits for anybody. `unread`: nothing
    of what follows now may be applied, whoever has read it has not noticed."""
    until = world.loop.time() + RED_SECONDS
    unread = unread and bool(misfits(world, topic))
    while unread or any(_told(world, database, place) for database, place in misfits(world, topic)):
        if any(topic in (process.problem() or "") for process in processes):
            return None
        if world.loop.time() > until:
            return f"{topic} waits for an operator, and readiness says nothing of it"
        await asyncio.sleep(1.0)
    return None


def _told(world: World, database: Database, place: Place) -> bool:
    """Whether readiness tells of it before anything follows. A reader whose last record alone is gone looks for that one
    again, which is no position outside of the log: it stops with the next record."""
    row, log = database.checkpoints.rows[place], _log(world, place)
    return log.incarnation != topic_of(row.incarnation) or row.next_offset != log.end + 1


def misfits(world: World, topic: str) -> list[tuple[Database, Place]]:
    """The checkpoints that do not fit their logs."""
    return [
        (database, place)
        for database in world.databases
        for place in database.checkpoints.rows
        if place[0] == topic and _problem(world, database, place)
    ]


def _problem(world: World, database: Database, place: Place) -> bool:
    """As operations.checkpoints.Logs.problem."""
    at, part = _checkpoint(database, place), world.log.part(*place)
    if range_problem(at, _log(world, place)) is not None:
        return True
    if at.last_id is None or at.next_offset <= part.start:
        return False
    return record_id(part.records[at.next_offset - 1 - part.start]) != at.last_id


def accept_loss(world: World, topic: str) -> None:
    """What `./switchhook topics accept-loss` does, for each of them."""
    for database, place in misfits(world, topic):
        rows, log = database.checkpoints.rows, _log(world, place)
        found, row = repair(_checkpoint(database, place), log), rows[place]
        world.trace(f"{place[0]}/{place[1]} goes on at {found.offset}")
        seen = {source: mark for source, mark in row.seen.items() if len(mark) > 2 and mark[2] is not None}
        incarnation = f"{log.incarnation}~{row.epoch + 1}" if found.cut_off else log.incarnation
        rows[place] = replace(
            row,
            next_offset=found.offset,
            partitions=log.partitions,
            incarnation=incarnation,
            epoch=row.epoch + 1,
            last_id=None,
            seen=seen,
        )


def _checkpoint(database: Database, place: Place) -> Checkpoint:
    row = database.checkpoints.rows[place]
    return Checkpoint(*place, row.next_offset, row.last_id, row.partitions, row.incarnation)


def _log(world: World, place: Place) -> Log:
    part = world.log.part(*place)
    return Log(part.start, part.end, len(world.log.topics[place[0]]), world.log.ids[place[0]])
