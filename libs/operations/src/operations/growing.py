"""More partitions for the topics whose keys choose them, once everything is drained (ADR-0048).

Kafka first, then the tables: cut off between the two, services stand still with a sentence, and the same command goes on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from aiokafka.admin import NewPartitions

from contracts.groups import GROUPS
from contracts.partitioner import partition_for
from operations import postgres, topics
from operations.drained import undrained
from operations.errors import CommandError
from operations.installation import Installation
from operations.topic_plan import ALIKE, Found

SERVICES = ("flow-engine", "dispatcher")
"""Who has checkpoints of these topics."""
AT_ONCE = 20_000
"""Keys of one statement."""
_CHECKPOINTS = """
UPDATE checkpoint SET partitions = $2, epoch = epoch + 1 WHERE topic = ANY ($1::text[]) AND partitions <> $2
"""
_KEYS = {"timer": "SELECT DISTINCT key FROM timer", "held": "SELECT DISTINCT key FROM held WHERE key IS NOT NULL"}
"""Tables of flow-engine that say in which partition a conversation lies, by its key."""
_MOVE = {
    "timer": "UPDATE timer t SET part = u.part FROM unnest($1::text[], $2::int[]) AS u (key, part)"
    " WHERE t.key = u.key AND t.part <> u.part",
    "held": "UPDATE held h SET part = u.part FROM unnest($1::bytea[], $2::int[]) AS u (key, part)"
    " WHERE h.key = u.key AND h.part <> u.part",
}


async def grow(here: Installation, partitions: int) -> AsyncIterator[str]:
    """Give inbound, actions and events so many partitions; what was done, a line each.

    CommandError, before anything is done, when a topic has more or is missing, or something is on its way.
    """
    present = await _present(here)
    check(present, partitions)
    if reasons := await undrained(here):
        raise CommandError("\n  ".join(["Not everything is drained, so nothing was changed:", *reasons]))
    if fewer := {name: topic.partitions for name, topic in present.items() if topic.partitions < partitions}:
        async with topics.asked(here.kafka(), "grown") as admin:
            await admin.create_partitions({name: NewPartitions(partitions) for name in fewer})
        for name, was in fewer.items():
            yield f"{name} has {partitions} partitions (had {was})"
    for service in SERVICES:
        async for line in _follow(service, here.database(service), partitions):
            yield line


def check(present: Mapping[str, Found], partitions: int) -> None:
    """CommandError when the topics cannot be given so many partitions."""
    if missing := [topic.name for topic in ALIKE if not any(name.endswith(topic.name) for name in present)]:
        raise CommandError(f"{', '.join(missing)} does not exist: `topics create` makes it.")
    for name, topic in present.items():
        if topic.partitions > partitions:
            raise CommandError(
                f"{name} has {topic.partitions} partitions: none can be taken away, so {partitions} are not possible."
            )


async def _present(here: Installation) -> Mapping[str, Found]:
    async with topics.asked(here.kafka(), "read") as admin:
        return await topics.found(admin, topics.by_name(here.kafka(), ALIKE))


async def _follow(service: str, dsn: str, partitions: int) -> AsyncIterator[str]:
    """What a service remembers of the number, in one transaction."""
    then = f" {service} stands still until this command is given once more."
    async with (
        postgres.asked(dsn, service, "did not take the number of partitions", then) as connection,
        connection.transaction(),
    ):
        names = [topic.name for topic in ALIKE if topic.name in GROUPS[service]]
        done = await connection.execute(_CHECKPOINTS, names, partitions)
        yield f"{service}: {_rows(done)} checkpoints know of {partitions} partitions"
        for table in _KEYS if service == "flow-engine" else ():
            yield f"{service}: {await _move(connection, table, partitions)} rows of {table} went to other partitions"


async def _move(connection: postgres.Connection, table: str, partitions: int) -> int:
    keys, moved = [row["key"] for row in await connection.fetch(_KEYS[table])], 0
    for first in range(0, len(keys), AT_ONCE):
        some = keys[first : first + AT_ONCE]
        places = [partition_for(key.encode() if isinstance(key, str) else key, partitions) for key in some]
        moved += _rows(await connection.execute(_MOVE[table], some, places))
    return moved


def _rows(done: str) -> int:
    """From `UPDATE 3`."""
    return int(done.rpartition(" ")[2])
