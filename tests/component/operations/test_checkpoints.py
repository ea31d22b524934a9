"""A checkpoint that does not fit its log is found, and accepting the loss lets the service go on."""

from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from contracts import inbound
from operations.checkpoints import accept_loss, accept_losses, misfits, missing_topics
from operations.errors import CommandError
from servicekit.checkpoints.tables import INCARNATION, LOOP_TABLES
from servicekit.kafka.cluster import Cluster

MakeTopic = Callable[..., Awaitable[str]]


@pytest.fixture
async def log(kafka: str, make_topic: MakeTopic) -> str:
    """A topic of one partition with the records id-0 to id-4; its name, as checkpoints have it: without the prefix."""
    topic = await make_topic("log")
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        for number in range(5):
            await producer.send_and_wait(topic, b"{}", headers=[("ce_id", f"id-{number}".encode())])
    return "log"


async def stand_at(dsn: str, topic: str, next_offset: int, last_id: str | None, partitions: int = 1) -> None:
    connection = await asyncpg.connect(dsn)
    if await connection.fetchval("SELECT to_regclass('checkpoint')") is None:
        await connection.execute(LOOP_TABLES + INCARNATION)
    await connection.execute(
        "INSERT INTO checkpoint (topic, part, next_offset, epoch, owner, last_id, partitions, seen)"
        " VALUES ($1, 0, $2, 7, gen_random_uuid(), $3, $4, '{\"other/0\": [9, 0]}')",
        *(topic, next_offset, last_id, partitions),
    )
    await connection.close()


async def test_a_role_that_looks_into_its_own_schema_only_if_told_to_is_served_as_well(
    cluster: Cluster, database: str, log: str
) -> None:
    """As operate.md makes one: PostgreSQL is told nothing about the schema, the service itself says it."""
    connection = await asyncpg.connect(database)
    await connection.execute("CREATE SCHEMA flow_engine; SET search_path = flow_engine;" + LOOP_TABLES + INCARNATION)
    await connection.execute(
        "INSERT INTO checkpoint (topic, part, next_offset, epoch, owner, last_id, partitions, seen)"
        " VALUES ($1, 0, 9, 7, gen_random_uuid(), 'id-8', 1, '{}')",
        log,
    )
    await connection.close()
    assert len(await reasons(cluster, database)) == 1
    assert "goes on at 0 (was 9)" in await accept_loss(cluster, "flow-engine", database, log, 0)


async def reasons(cluster: Cluster, dsn: str) -> list[str]:
    return [misfit.reason for misfit in await misfits(cluster, {"flow-engine": dsn})]


@pytest.mark.parametrize(("next_offset", "last_id"), [(0, None), (3, "id-2"), (5, "id-4")])
async def test_a_checkpoint_of_this_log_fits(
    cluster: Cluster, database: str, log: str, next_offset: int, last_id: str | None
) -> None:
    await stand_at(database, log, next_offset, last_id)
    assert await reasons(cluster, database) == []
    with pytest.raises(CommandError, match="there is no loss to accept"):
        await accept_loss(cluster, "flow-engine", database, log, 0)


@pytest.mark.parametrize(
    ("next_offset", "last_id", "partitions", "reason"),
    [
        (9, "id-8", 1, "it is another log"),
        (3, "of another cluster", 1, "another record lies at 2"),
        (3, "id-2", 6, "has 1 partitions and had 6"),
    ],
)
async def test_a_checkpoint_of_another_log_is_found_and_can_be_accepted(
    cluster: Cluster, database: str, log: str, next_offset: int, last_id: str, partitions: int, reason: str
) -> None:
    await stand_at(database, log, next_offset, last_id, partitions)
    (found,) = await misfits(cluster, {"flow-engine": database})
    assert reason in found.reason
    assert found.words == f"topics accept-loss flow-engine {log} 0"

    await accept_loss(cluster, "flow-engine", database, log, 0)

    assert await reasons(cluster, database) == []
    connection = await asyncpg.connect(database)
    row = await connection.fetchrow("SELECT next_offset, epoch, last_id, partitions, seen::text FROM checkpoint")
    await connection.close()
    assert tuple(row) == (0, 8, None, 1, "{}")


async def accepted(cluster: Cluster, dsn: str, topic: str | None = None) -> list[str]:
    return [line async for line in accept_losses(cluster, "flow-engine", dsn, topic)]


async def test_all_partitions_that_stand_still_are_accepted_at_once_and_each_is_told(
    cluster: Cluster, database: str, log: str, make_topic: MakeTopic
) -> None:
    for name in ("other", "third"):
        await make_topic(name)
    await stand_at(database, log, 9, "id-8")
    await stand_at(database, "other", 7, "id-6")
    await stand_at(database, "third", 0, None)
    anew = "the start: whether the topic was made anew is not known."

    assert await accepted(cluster, database, log) == [f"{log}/0 goes on at 0 (was 9), {anew}"]
    assert await accepted(cluster, database) == [f"other/0 goes on at 0 (was 7), {anew}"]

    assert await reasons(cluster, database) == []
    for topic in (None, "third"):
        with pytest.raises(CommandError, match="there is no loss to accept"):
            await accepted(cluster, database, topic)
    with pytest.raises(CommandError, match="flow-engine has no checkpoint of nothing"):
        await accepted(cluster, database, "nothing")


async def test_nothing_is_accepted_at_once_while_a_topic_does_not_exist(
    cluster: Cluster, database: str, log: str
) -> None:
    await stand_at(database, log, 9, "id-8")
    await stand_at(database, "missing", 3, "id-2")
    with pytest.raises(CommandError, match=r"missing does not exist: `topics create"):
        await accepted(cluster, database)
    assert len(await reasons(cluster, database)) == 1


async def test_offsets_that_were_cut_off_are_given_again_as_another_incarnations(
    cluster: Cluster, database: str, log: str
) -> None:
    await stand_at(database, log, 9, "id-8")
    await accept_loss(cluster, "flow-engine", database, log, 0)
    connection = await asyncpg.connect(database)
    id = await connection.fetchval("UPDATE checkpoint SET next_offset = 9 RETURNING incarnation")
    assert "its end was lost" in (await reasons(cluster, database))[0]
    assert "goes on at 5 (was 9), the end of the log" in await accept_loss(cluster, "flow-engine", database, log, 0)
    assert await connection.fetchval("SELECT incarnation FROM checkpoint") == f"{id}~9"
    assert await reasons(cluster, database) == []
    await connection.close()


async def test_records_that_were_deleted_unread_are_counted(cluster: Cluster, database: str, log: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.servers)
    await admin.start()
    await admin.delete_records({TopicPartition(cluster.named(log), 0): RecordsToDelete(before_offset=4)})
    await admin.close()
    await stand_at(database, log, 1, "id-0")
    assert await reasons(cluster, database) == [f"{log}/0: 3 records were deleted before they were applied"]
    assert await accept_loss(cluster, "flow-engine", database, log, 0) == (
        f"{log}/0 goes on at 4 (was 1), the start: whether the topic was made anew is not known."
    )


async def test_a_checkpoint_that_does_not_exist_is_said_so(cluster: Cluster, database: str, log: str) -> None:
    await stand_at(database, log, 0, None)
    with pytest.raises(CommandError, match="There is no checkpoint of"):
        await accept_loss(cluster, "flow-engine", database, log, 7)


async def test_a_topic_that_is_missing_is_told_apart_from_one_that_is_another(
    cluster: Cluster, database: str, kafka: str, make_topic: MakeTopic
) -> None:
    there = await make_topic(inbound.TOPIC.name)
    missing = await missing_topics(cluster)
    assert there not in missing
    assert cluster.named("switchhook.actions.v1") in missing
    await stand_at(database, "switchhook.actions.v1", 3, "id-2")
    assert await reasons(cluster, database) == []
    with pytest.raises(CommandError, match="topics create"):
        await accept_loss(cluster, "flow-engine", database, "switchhook.actions.v1", 0)
