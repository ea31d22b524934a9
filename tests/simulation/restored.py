"""A database is restored from a copy of some minutes ago: nobody may do anything until an operator says what holds."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any
from uuid import uuid4

from bench.chaos.checker import SentAgain

from contracts.groups import GROUPS
from dispatcher.accept_restore import left_out, note
from dispatcher.intake.decoding import DayWindow
from operations.restores import BY_ID, SAYS_ANEW, Choice, Older, marks_behind, positions, said_anew
from servicekit.checkpoints.age import Standing, behind
from servicekit.kafka.records import record_id
from simulation.database import Database, Pool
from simulation.machines import SESSION_SECONDS, SETTINGS, Process
from simulation.stores import Deliveries
from simulation.world import PARTITIONS, World
from support.checkpoints_in_memory import Checkpoint

CRASHES = 0.5
"""The share of runs in which the service is not told to end, as an operator would, but was killed."""
UNTOLD_SECONDS = 2.0 + 0.25
"""What was done in the last two seconds before a crash may be done again (ADR-0030); telling Kafka takes a moment, too."""
BUSY_SECONDS, BUSY_UNKNOWN = 2.5, 0.4
"""How long people speak before a service that is at work is stopped; the share of answers to COMMIT that it then gets none of."""
DAYS = DayWindow(SETTINGS.retention_days)
LEAVE_SECONDS = 2 * SESSION_SECONDS
"""After so long the members of processes that ended are members no more."""
RED_SECONDS = 30.0
"""Within this the readiness of each replica has to say that the database is older."""
STILL_SECONDS = 10.0
"""For so long nothing may be sent, applied or written by who waits."""
CONVERSATIONS = ("conversations", "contacts", "identities", "merged", "armed", "messages", "log", "waiting", "parts")
STATES = ("rows", "outbox")


class Backup:
    """What a service's database held at one moment."""

    def __init__(self, world: World, service: str) -> None:
        self.world, self.service = world, service
        self.database: Database = world.engine_database if service == "flow-engine" else world.dispatcher_database
        kept: Any = world.conversations if service == "flow-engine" else world.deliveries
        self._parts = [(self.database.checkpoints, STATES)]
        self._parts.append((kept, CONVERSATIONS if service == "flow-engine" else ("tables", "places")))
        self.untold = 0.0
        """What was done from then on Kafka was not told before the service stopped."""
        self.unsent: list[tuple[str, int]] = []
        self.unanswered: set[str] = set()
        self._copies = [{name: copy.deepcopy(getattr(of, name)) for name in names} for of, names in self._parts]

    def put_back(self) -> None:
        """The database is what it was."""
        self.world.trace(f"{self.database.server.name} is restored from a backup")
        for (of, _), kept in zip(self._parts, self._copies, strict=True):
            for name, value in kept.items():
                setattr(of, name, value)


def older(world: World, backup: Backup) -> list[Older]:
    """As operations.restores.older."""
    rows, found = backup.database.checkpoints.rows, []
    for topic, group in GROUPS[backup.service].items():
        standing = {part: Standing(row.next_offset, row.incarnation) for (of, part), row in rows.items() if of == topic}
        committed = world.kafka.committed_by(group, topic)
        found.append(Older(topic, group, behind(standing, committed), committed))
    return found


async def restore(world: World, backup: Backup, processes: Sequence[Process], *, busy: bool = False) -> list[str]:
    """As operate.md says: the service is stopped, its database is put back, and it starts. What is wrong with what follows."""
    mine = [process for process in processes if _service_of(process) == backup.service]
    if busy:
        await asyncio.sleep(BUSY_SECONDS)
        backup.database.unknown = BUSY_UNKNOWN
    backup.untold = await _stopped(world, mine)
    await asyncio.sleep(LEAVE_SECONDS)
    backup.database.unknown = 0.0
    backup.unsent, backup.unanswered = _unsent(world), _unanswered(world)
    backup.put_back()
    for process in mine:
        process.start()
    return await waited(world, backup, mine) if any(each.less for each in older(world, backup)) else []


async def _stopped(world: World, processes: Sequence[Process]) -> float:
    """All are told to end, or all crash. From when on Kafka need not have been told what they did."""
    if Random(f"stop {world.seed}").random() < CRASHES:
        for process in processes:
            process.stop()
        return world.loop.time() - UNTOLD_SECONDS
    began = world.loop.time()
    ended = await asyncio.gather(*(process.end() for process in processes))
    return world.loop.time() if all(ended) else began - UNTOLD_SECONDS


def _unsent(world: World) -> list[tuple[str, int]]:
    """Chats and numbers of what the dispatcher had taken over and not sent when it stopped."""
    rows = [row for row in world.deliveries.tables.rows.values() if row.new.kind == "message" and not row.finished]
    return [((row.new.conversation or "").rpartition("/")[2], row.new.seq) for row in rows if row.new.seq is not None]


def _unanswered(world: World) -> set[str]:
    """Chats that waited then for a call whose result Kafka did not have: with skip they hear of its time-out."""
    tables = world.deliveries.tables
    calls = [row.new.conversation or "" for row in tables.rows.values() if row.new.kind == "call" and not row.finished]
    results = [(each.key or b"").decode() for _, made in tables.outbox.values() for each in made]
    return {key.rpartition("/")[2] for key in calls + results}


def _service_of(process: Process) -> str:
    return {"engine": "flow-engine"}.get(name := process.name.rpartition("-")[0], name)


async def waited(world: World, backup: Backup, processes: Sequence[Process]) -> list[str]:
    """What is wrong with how the service waits for an operator."""
    until = world.loop.time() + RED_SECONDS
    while not all("older than what" in (process.problem() or "") for process in processes):
        if world.loop.time() > until:
            return [f"{backup.database.server.name} went back in time, and readiness says nothing of it"]
        await asyncio.sleep(1.0)
    before = _done(world, backup)
    await asyncio.sleep(STILL_SECONDS)
    return [] if _done(world, backup) == before else [f"{backup.service} worked on while it waited for an operator"]


def _done(world: World, backup: Backup) -> Any:
    sent = len(world.receivers.heard) if backup.service == "dispatcher" else 0
    rows = {place: row.next_offset for place, row in backup.database.checkpoints.rows.items()}
    return sent, rows, list(backup.database.checkpoints.outbox)


async def accept(world: World, backup: Backup, choice: Choice) -> None:
    """What `switchhook-ops checkpoints accept-restore` does."""
    world.trace(f"the operator says {choice} of {backup.service}")
    topics = older(world, backup)
    if choice == "skip":
        for each in topics:
            await _skip(world, backup, each)
        if backup.service == "dispatcher":
            _discard(world)
            world.unanswered |= backup.unanswered
            for chat, number in backup.unsent:
                world.losable[chat].add(number)
            world.deliveries.tables.age = max(at.number for each in topics for at in each.committed.values())
    number = world.deliveries.tables.age if backup.service == "dispatcher" else 0
    if choice == "again" and backup.service in SAYS_ANEW:
        for each in topics:
            _anew(backup, each)
        return
    for each in topics:
        for part, at in positions(each, choice, number).items():
            world.kafka.committed[each.group, each.topic, part] = (at.offset, at.metadata)


def _anew(backup: Backup, older: Older) -> None:
    rows = backup.database.checkpoints.rows
    for part, incarnation in said_anew(older).items():
        if (row := rows.get((older.topic, part))) is not None:
            rows[older.topic, part] = replace(row, incarnation=incarnation, epoch=row.epoch + 1)


async def _skip(world: World, backup: Backup, older: Older) -> None:
    rows, by_id = backup.database.checkpoints.rows, older.topic in BY_ID
    for each in older.less:
        place, was = (older.topic, each.part), older.committed[each.part]
        row = rows.get(place) or Checkpoint(0, 0, uuid4(), None, PARTITIONS, {})
        records = [one for one in world.log.part(*place).records if each.at <= one.offset < each.was]
        last = record_id(records[-1]) if records and records[-1].offset == each.was - 1 else None
        if by_id:
            await note(Deliveries(Pool(backup.database), world.deliveries), left_out(records, DAYS, world.now()))  # type: ignore[arg-type]
        seen = dict(row.seen) if by_id else marks_behind(dict(row.seen), records)
        rows[place] = replace(
            row, next_offset=each.was, last_id=last, seen=seen, incarnation=was.incarnation, epoch=row.epoch + 1
        )


def _discard(world: World) -> None:
    for row in world.deliveries.tables.rows.values():
        if not row.finished:
            row.state, row.due, row.lease, row.finished = "discarded", None, None, True


def sent_again(world: World, backup: Backup, choice: Choice) -> SentAgain | None:
    """What may come a second time: with `again` all that had arrived, with `skip` what Kafka had not been told of."""
    if backup.service != "dispatcher":
        return None
    arrived = [each for each in world.receivers.heard if each.is_answer]
    since = 0.0 if choice == "again" else backup.untold
    may = {(str(each.body["chat_id"]), each.body["text"]) for each in arrived if each.at >= since}
    return SentAgain(len(arrived), may, frozenset(), said=len(may))
