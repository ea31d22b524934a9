"""A database that is older than what its service has done: what would be repeated, and going on as an operator decides.

`again` goes on from where the backup stands: what came since is applied, and sent, once more. `skip` goes on behind it:
nothing that may have been done is done a second time; of deliveries the rows say that they were discarded (ADR-0030).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args
from uuid import uuid4

import orjson
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, KafkaError

from contracts import actions
from contracts.cloudevents import TYPE_PREFIX
from contracts.groups import GROUPS
from operations.errors import CommandError
from operations.kafka import why
from operations.postgres import asked
from operations.services import MODULES
from servicekit.checkpoints import age
from servicekit.checkpoints.age import Behind
from servicekit.checkpoints.fence import Seen, note
from servicekit.kafka.between import read_between
from servicekit.kafka.clients import make_consumer
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.committed import Committed, read_committed, write_committed
from servicekit.kafka.records import Record, examine, record_id

Choice = Literal["again", "skip"]
CHOICES: tuple[Choice, ...] = get_args(Choice)
LEAVE_SECONDS = 60.0
"""How long the members of a group that ended may still count as its members: twice the services' session."""
BESIDE = {"dispatcher": "dispatcher.accept_restore", "registry": "registry.accept_restore"}
"""The modules that know what a service does beside its checkpoints; run with its environment."""
BY_ID = frozenset({actions.TOPIC.name})
"""Topics of which each record that is left out is noted by its id. Marks would also leave out what was never said: a turn that was
deferred when the service stopped may be made in its batch by an engine that is restored, too, and what it says then has an
older source than what others said since."""

SAYS_ANEW = frozenset({"flow-engine"})
"""Services whose records are known by their ids when they are said again. A turn that was made apart from its batch had a later
source than it has this time, so the marks of who reads them tell nothing: what it says may not have been said before."""

_SKIP = """
INSERT INTO checkpoint AS c (topic, part, next_offset, last_id, seen, incarnation, partitions, epoch, owner)
VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7, 1, $8)
ON CONFLICT (topic, part) DO UPDATE SET next_offset = excluded.next_offset, last_id = excluded.last_id,
    seen = excluded.seen, incarnation = excluded.incarnation, epoch = c.epoch + 1
"""
_ANEW = """
UPDATE checkpoint SET incarnation = $3, epoch = greatest(epoch, split_part($3, '~', 2)::bigint) + 1
 WHERE topic = $1 AND part = $2
"""
"""The epoch stays above the incarnation's number: a later repair of the log takes its number from it (checkpoints.ACCEPT)."""
_NOT_MOVED = "did not take where it goes on"
_SEEN = "SELECT part, seen FROM checkpoint WHERE topic = $1"


@dataclass(frozen=True)
class Older:
    """A topic of which the service has done more than its database knows. `committed`: partition -> how far it was."""

    topic: str
    group: str
    less: Sequence[Behind]
    committed: Mapping[int, Committed]


async def older(cluster: Cluster, service: str, dsn: str) -> list[Older]:
    """By topic, all that the service reads; `less` is empty where nothing would be repeated. CommandError when a server does
    not answer."""
    found = []
    try:
        async with asked(dsn, service, "did not give its checkpoints") as connection:
            for topic, group in GROUPS[service].items():
                committed = await read_committed(cluster, group, topic)
                less = age.behind(await age.standing(connection, topic), committed)
                found.append(Older(topic, group, less, committed))
    except KafkaError as error:
        raise CommandError(f"Kafka at {cluster.servers} did not answer ({why(error)}).") from error
    return found


async def report(cluster: Cluster, service: str, dsn: str, env: Mapping[str, str]) -> list[str]:
    """What an operator decides about, a line each; empty when the database is as new as what was done with it."""
    lines = []
    topics = await older(cluster, service, dsn)
    for each in topics:
        if each.less:
            records = await missed(cluster, each)
            count = sum(behind.was - behind.at for behind in each.less)
            lines.append(f"{each.topic}: {count} offsets since the backup, with {kinds(map(type_of, records))}")
            lines += [f"  partition {one.part} stands at {one.at} and was at {one.was}" for one in each.less]
    since = max((at.number for each in topics for at in each.committed.values()), default=0)
    return lines + [line for line in await beside(service, dsn, env, "report", str(since)) if line]


async def accept(cluster: Cluster, service: str, dsn: str, choice: Choice, env: Mapping[str, str]) -> list[str]:
    """Let the service go on; what was done, a line each. CommandError while replicas of it are members of its groups."""
    topics = await older(cluster, service, dsn)
    since = max((at.number for each in topics for at in each.committed.values()), default=0)
    left_out = {each.topic: ranges(each) for each in topics if each.less}
    place = {"SWITCHHOOK_KAFKA": cluster.servers, "SWITCHHOOK_TOPIC_PREFIX": cluster.topic_prefix}
    done = await beside(service, dsn, {**env, **place}, choice, str(since), json.dumps(left_out))
    if choice == "skip":  # Last, so that a command that was cut off can be given again.
        for each in topics:
            await skip(cluster, service, dsn, each)
    elif service in SAYS_ANEW:  # From then on it is at work, and tells Kafka itself.
        for each in topics:
            await _anew(service, dsn, each)
    else:
        number = await _number(service, dsn)
        for each in topics:
            await _when_left(each.group, lambda each=each: _commit(cluster, each, number))  # type: ignore[misc]
    return [line for each in topics for line in _told(each, choice)] + done


async def _anew(service: str, dsn: str, older: Older) -> None:
    """What follows from what is applied again is judged by its ids from now on."""
    async with asked(dsn, service, _NOT_MOVED) as connection, connection.transaction():
        for part, incarnation in said_anew(older).items():
            await connection.execute(_ANEW, older.topic, part, incarnation)


def said_anew(older: Older) -> dict[int, str]:
    """Partition -> the incarnation that it has from now on, of those that are applied again. It makes the checkpoint newer than
    what Kafka was told (servicekit.checkpoints.age)."""
    return {each.part: age.after(older.committed[each.part].incarnation) for each in older.less}


def positions(older: Older, choice: Choice, number: int) -> dict[int, Committed]:
    """What Kafka is told of how far the service is, from now on."""
    at = {behind.part: behind.at for behind in older.less} if choice == "again" else {}
    return {part: Committed(at.get(part, was.offset), was.incarnation, number) for part, was in older.committed.items()}


async def skip(cluster: Cluster, service: str, dsn: str, older: Older) -> None:
    """Put the checkpoints where the service was, with the marks of what is left out."""
    if not older.less:
        return
    records = await missed(cluster, older)
    async with asked(dsn, service, _NOT_MOVED) as connection:
        kept = {row["part"]: orjson.loads(row["seen"]) for row in await connection.fetch(_SEEN, older.topic)}
        for behind in older.less:
            mine = [record for record in records if record.partition == behind.part]
            before = {source: tuple(mark) for source, mark in kept.get(behind.part, {}).items()}
            seen = before if older.topic in BY_ID else marks_behind(before, mine)
            last = record_id(mine[-1]) if mine and mine[-1].offset == behind.was - 1 else None
            count = await partitions_of(cluster, older.topic)
            log = older.committed[behind.part].incarnation
            marks = orjson.dumps(seen).decode()
            await connection.execute(
                _SKIP, older.topic, behind.part, behind.was, last, marks, log, count, uuid4()
            )  # fmt: skip


def marks_behind(seen: Seen, records: Iterable[Record]) -> Seen:
    """The marks once these records are left out: what repeats their causes is a repeat all the same."""
    for record in records:
        source, problem = examine(record)
        if source is not None and problem is None:
            note(seen, source)
    return seen


async def missed(cluster: Cluster, older: Older) -> list[Record]:
    """The records between the backup and what was done, as far as the log still has them. CommandError when they cannot be read."""
    try:
        return await read_between(cluster, older.topic, ranges(older))
    except TimeoutError as error:
        raise CommandError(str(error)) from error


def ranges(older: Older) -> dict[int, tuple[int, int]]:
    """Partition -> where the backup stands, and where the service was."""
    return {behind.part: (behind.at, behind.was) for behind in older.less}


async def partitions_of(cluster: Cluster, topic: str) -> int:
    """How many the topic has."""
    consumer = make_consumer(cluster, client_id="switchhook-operator")
    try:
        await consumer.start()
        consumer.assign([TopicPartition(cluster.named(topic), 0)])
        await consumer.end_offsets([TopicPartition(cluster.named(topic), 0)])
        return len(consumer.partitions_for_topic(cluster.named(topic)) or ())
    finally:
        await consumer.stop()


def type_of(record: Record) -> str:
    """What a record is, as its CloudEvents type says."""
    value = dict(record.headers).get("ce_type") or b"unknown"
    return value.decode(errors="replace").removeprefix(TYPE_PREFIX)


def kinds(types: Iterable[str]) -> str:
    """`12 action.message, 3 action.call`."""
    counted = Counter(types)
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counted.items())) or "no record that is still there"


async def beside(service: str, dsn: str, env: Mapping[str, str], *words: str) -> list[str]:
    """What the service's own module says or does. CommandError with its words when it fails."""
    if service not in BESIDE:
        return []
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", BESIDE[service], *words,
        env={**os.environ, **env, "SWITCHHOOK_DATABASE": dsn},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    if process.returncode:
        raise CommandError(f"{MODULES[service]}: {err.decode(errors='replace').strip()[-500:]}")
    return [str(line) for line in json.loads(out.splitlines()[-1])]  # Its log may stand before.


async def _number(service: str, dsn: str) -> int:
    """The number of the service's database that grows beside its checkpoints; 0 where there is none."""
    if service != "dispatcher":
        return 0
    async with asked(dsn, service, "did not tell its age") as connection:
        return int(await connection.fetchval("SELECT last_value FROM age"))


async def _commit(cluster: Cluster, older: Older, number: int) -> None:
    wanted = positions(older, "again", number)
    if wanted != older.committed:
        await write_committed(cluster, older.group, older.topic, wanted)


async def _when_left(group: str, commit: Callable[[], Awaitable[None]]) -> None:
    """Do it once the group has no members: those of a process that ended are members until their session does."""
    try:
        async with asyncio.timeout(LEAVE_SECONDS):
            while True:
                try:
                    return await commit()
                except CommitFailedError:
                    await asyncio.sleep(1.0)
    except TimeoutError as error:
        raise CommandError(
            f"The group {group} still has members: a replica works on a database that was not restored. Stop it first."
        ) from error


def _told(older: Older, choice: Choice) -> list[str]:
    where = {"again": "at", "skip": "was"}[choice]
    how = {"again": "what came since is applied again", "skip": "what came since is left out"}[choice]
    return [f"{older.topic}/{each.part} goes on at {getattr(each, where)}: {how}." for each in older.less]
