"""A log that is not the one from before: readiness has to say so, and after the documented repair everything goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from contracts import actions, events, inbound
from devstack.checkpoints import Checkpoint, Log, range_problem, repair
from servicekit.checkpoints.fence import topic_of
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
    if how == "made anew":
        world.log.create(topic, PARTITIONS)
        return topic
    for number, part in enumerate(world.log.topics[topic]):
        world.log.cut_off(topic, number, max(part.start, part.end - world.chance.randint(0, 3)))
    return topic


async def said(world: World, processes: Sequence[Process], topic: str) -> str | None:
    """What is wrong with what readiness says: None when it names the topic, or nothing waits for anybody."""
    until = world.loop.time() + RED_SECONDS
    while any(_told(world, database, place) for database, place in misfits(world, topic)):
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
        if place[0] == topic and range_problem(_checkpoint(database, place), _log(world, place)) is not None
    ]


def accept_loss(world: World, topic: str) -> None:
    """What `./switchhook topics accept-loss` does, for each of them."""
    for database, place in misfits(world, topic):
        rows, log = database.checkpoints.rows, _log(world, place)
        found, row = repair(_checkpoint(database, place), log), rows[place]
        world.trace(f"{place[0]}/{place[1]} goes on at {found.offset}")
        seen = {source: mark for source, mark in row.seen.items() if len(mark) > 2 and mark[2] is not None}
        incarnation = f"{log.incarnation}~{row.epoch + 1}" if found.cut_off else log.incarnation
        rows[place] = replace(
            row, next_offset=found.offset, incarnation=incarnation, epoch=row.epoch + 1, last_id=None, seen=seen
        )


def _checkpoint(database: Database, place: Place) -> Checkpoint:
    row = database.checkpoints.rows[place]
    return Checkpoint(*place, row.next_offset, row.last_id, row.partitions, row.incarnation)


def _log(world: World, place: Place) -> Log:
    part = world.log.part(*place)
    return Log(part.start, part.end, len(world.log.topics[place[0]]), world.log.ids[place[0]])
