"""From the table to the topic: order, failover, revocation, snapshots, repair."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from contracts.registry import SNAPSHOT_KEY, TOPIC, EntityRecord, Snapshot, entity_key
from contracts.topic import RECORD_LIMIT
from registry.accept_restore import accept_restore
from registry.publishing import housekeeping, relay
from registry.publishing.relay import Relay
from registry.store.postgres import RELAY_LOCK
from registry.store.publications import Publication
from registry.writing.topic_tail import TopicTail
from servicekit.credentials.tokens import digest
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.refused_writes import RefusedWrites
from servicekit.registry_view.view import RegistryView
from support.registry_api import RegistryUnderTest, new_project, running_registry
from support.registry_topic import read_topic
from support.topics import create_topic, delete_topics, set_topic
from support.waiting import eventually

MakeTopic = Callable[..., Awaitable[str]]
NOBODY = Cluster("127.0.0.1:1")
"""A broker that is not there."""
LEADERS = """
    SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = $1 AND objid = $2
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


async def entities(kafka: str, topic: str, kind: str) -> list[EntityRecord]:
    found = await read_topic(kafka, topic)
    return [EntityRecord.model_validate_json(value) for key, value in found if key.startswith(f"{kind}/") and value]


async def produce(kafka: str, topic: str, key: str, value: bytes | None) -> None:
    """What nobody but the relay should do."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    try:
        await producer.send_and_wait(topic, value, key.encode(), partition=0)
    finally:
        await producer.stop()


@pytest.fixture
async def topic(make_topic: MakeTopic) -> str:
    return await make_topic(TOPIC.name, config={"cleanup.policy": "compact"})


@pytest.fixture
async def replica(cluster: Cluster, migrated: str, topic: str) -> AsyncIterator[RegistryUnderTest]:
    async with running_registry(cluster, migrated) as running:
        yield running


async def test_a_revocation_reaches_a_view_within_a_second(
    kafka: str, cluster: Cluster, topic: str, replica: RegistryUnderTest
) -> None:
    project = await new_project(replica)
    made = await project.post("/v1/tokens", {"name": "shop", "scopes": ["flows:execute"]})
    view = RegistryView(cluster)
    await view.start()
    try:
        await view.wait_ready()
        await eventually(lambda: view.find("token", "sha256", digest(made["token"])))
        begun = asyncio.get_running_loop().time()
        await project.call("DELETE", f"/v1/tokens/{made['id']}", expect=204)
        await eventually(lambda: view.find("token", "sha256", digest(made["token"])) is None, every=0.005)
        assert asyncio.get_running_loop().time() - begun < 1
        assert view.deleted("token", made["id"])
    finally:
        await view.stop()


async def test_versions_of_an_entity_are_published_in_order(kafka: str, topic: str, replica: RegistryUnderTest) -> None:
    project = await new_project(replica)
    bot = await project.bot()
    changes = (project.call("PATCH", f"/v1/bots/{bot}", {"name": f"name {number}"}) for number in range(20))
    await asyncio.gather(*changes)
    await project.call("DELETE", f"/v1/bots/{bot}", expect=204)
    published = await entities(kafka, topic, "bot")
    assert [record.version for record in published] == list(range(1, 23))
    assert (published[-1].deleted, published[-1].data) == (True, {})


async def test_a_topic_that_refuses_what_is_published_is_told_until_it_takes_it(
    kafka: str, topic: str, replica: RegistryUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = RefusedWrites()
    monkeypatch.setattr(relay, "REFUSED", refused, raising=False)
    project = await new_project(replica)
    await set_topic(kafka, topic, {"max.message.bytes": "200"})
    bot = await project.bot()
    await eventually(lambda: f"the topic {topic} since" in str(refused.problem()))
    await set_topic(kafka, topic, {"max.message.bytes": str(RECORD_LIMIT)})
    await eventually(lambda: refused.problem() is None)
    assert [record.id for record in await entities(kafka, topic, "bot")] == [bot]


class LateTail:
    """A tail that has read nothing yet of what is on the topic."""

    readings, suspects, deleted = 1, frozenset[str](), frozenset[str]()

    def __init__(self, tail: TopicTail) -> None:
        self._tail, self.last = tail, dict[str, tuple[int, int]]()

    async def caught_up(self) -> bool:
        self.last = self._tail.last
        return True


async def test_what_was_published_but_not_read_back_yet_is_not_published_again(
    kafka: str, topic: str, replica: RegistryUnderTest
) -> None:
    project = await new_project(replica)
    bot = await project.bot()
    async with replica.database.pool.acquire() as connection:
        await housekeeping.Housekeeping(LateTail(replica.tail), replica.site.keys).keep(connection)  # type: ignore[arg-type]
    await project.call("PATCH", f"/v1/bots/{bot}", {"name": "renamed"})
    assert [record.version for record in await entities(kafka, topic, "bot")] == [1, 2]


async def test_a_flow_version_stands_before_the_flow_that_starts_on_it(
    kafka: str, topic: str, replica: RegistryUnderTest
) -> None:
    project = await new_project(replica)
    flow = await project.published_flow(await project.bot())
    keys = [key for key, _ in await read_topic(kafka, topic)]
    assert keys.index(f"flow_version/{flow}/1") < len(keys) - 1 - keys[::-1].index(f"flow/{flow}")


async def test_another_replica_leads_when_the_leaders_connection_is_killed(
    kafka: str, cluster: Cluster, migrated: str, topic: str, replica: RegistryUnderTest
) -> None:
    async with running_registry(cluster, migrated) as second:
        await eventually(lambda: replica.relay.leading)
        project = await new_project(second)
        bot = await project.bot()
        for number in range(30):
            if number % 10 == 5:
                await kill_leader(migrated)
            await project.call("PATCH", f"/v1/bots/{bot}", {"name": f"name {number}"})
        published = [record.version for record in await entities(kafka, topic, "bot")]
        assert published == sorted(published)
        assert set(published) == set(range(1, 32))


async def kill_leader(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        leaders = await eventually(lambda: connection.fetch(LEADERS, *RELAY_LOCK))
        await connection.execute("SELECT pg_terminate_backend($1)", leaders[0]["pid"])
    finally:
        await connection.close()


async def test_a_frozen_leader_is_ousted(kafka: str, cluster: Cluster, migrated: str, topic: str) -> None:
    frozen = await asyncpg.connect(migrated, server_settings={"search_path": "registry"})
    try:
        await frozen.execute("SELECT pg_advisory_lock($1, $2)", *RELAY_LOCK)
        await frozen.execute("UPDATE leader SET beat = now() - interval '1 hour'")
        async with running_registry(cluster, migrated) as replica:
            await eventually(lambda: replica.relay.leading)
            assert frozen.is_closed()
    finally:
        await frozen.close()


async def test_a_leader_that_wakes_up_late_publishes_nothing(
    kafka: str, cluster: Cluster, topic: str, replica: RegistryUnderTest
) -> None:
    pool, tail = replica.database.pool, replica.tail
    await eventually(lambda: replica.relay.leading)
    late = Relay(pool, cluster, tail, replica.site.keys)
    async with late._producer() as producer:
        project = await new_project(
            replica
        )  # The leader notices that it was fenced, and leads again with a new producer.
        with pytest.raises(KafkaError):
            await late._publish(producer, [Publication(1, "bot/late", b"late")])
    await project.bot()
    assert "bot/late" not in dict(await read_topic(kafka, topic))


async def test_without_kafka_writes_are_pending_and_published_later(
    kafka: str, cluster: Cluster, migrated: str, topic: str
) -> None:
    async with running_registry(NOBODY, migrated, cut_off=True) as cut_off:
        project = await new_project(cut_off)
        answer = await project.send("POST", "/v1/tokens", {"name": "shop", "scopes": ["flows:execute"]})
        assert (answer.status_code, answer.headers["switchhook-state"]) == (201, "pending")
        token = answer.json()
        assert await project.call("DELETE", f"/v1/tokens/{token['id']}", expect=202) == {"state": "pending"}
        await project.get(f"/v1/tokens/{token['id']}", expect=404)
    async with running_registry(cluster, migrated) as replica:
        await eventually(lambda: replica.tail.last.get(entity_key("token", token["id"])) == (1, 2))


async def test_a_repeat_of_a_pending_request_is_answered_when_kafka_has_it(
    kafka: str, cluster: Cluster, migrated: str, topic: str
) -> None:
    headers = {"idempotency-key": "once"}
    async with running_registry(NOBODY, migrated, cut_off=True) as cut_off:
        first = await (await new_project(cut_off)).send("POST", "/v1/bots", {"name": "A"}, headers=headers)
    project_id = first.json()["project_id"]
    async with running_registry(cluster, migrated) as replica:
        path = f"/v1/bots?project={project_id}"
        again = await replica.client.post(path, json={"name": "A"}, headers=headers)
    assert (first.headers.get("switchhook-state"), again.headers.get("switchhook-state")) == ("pending", None)
    assert again.json() == first.json()


async def test_the_snapshot_counts_what_stands_before_it(
    kafka: str, migrated: str, topic: str, replica: RegistryUnderTest
) -> None:
    project = await new_project(replica)
    bots = [await project.bot() for _ in range(3)]
    await project.call("DELETE", f"/v1/bots/{bots[0]}", expect=204)
    before = len(await snapshots(kafka, topic))
    await kill_leader(migrated)
    found = await eventually(lambda: snapshots_after(kafka, topic, before))
    assert found[-1] == Snapshot(generation=1, counts={"project": 1, "bot": 2})


async def snapshots(kafka: str, topic: str) -> list[Snapshot]:
    found = await read_topic(kafka, topic)
    return [Snapshot.model_validate_json(value) for key, value in found if key == SNAPSHOT_KEY and value]


async def snapshots_after(kafka: str, topic: str, count: int) -> list[Snapshot]:
    return (await snapshots(kafka, topic))[count:]


OLD = EntityRecord(kind="bot", id="any", project_id="any", version=1, data={"name": "Oldest"}).encode()


@pytest.mark.parametrize("late", [OLD, None, b"not ours"], ids=["old", "null", "unreadable"])
async def test_an_old_record_that_comes_late_is_published_over(
    kafka: str, topic: str, replica: RegistryUnderTest, late: bytes | None
) -> None:
    project = await new_project(replica)
    bot = await project.bot()
    await project.call("PATCH", f"/v1/bots/{bot}", {"name": "Newest"})
    await produce(kafka, topic, entity_key("bot", bot), late)

    async def is_mended() -> bool:
        last = dict(await read_topic(kafka, topic))[entity_key("bot", bot)]
        return last is not None and b'"Newest"' in last

    await eventually(is_mended)


async def test_a_topic_made_anew_is_filled_again(kafka: str, topic: str, replica: RegistryUnderTest) -> None:
    project = await new_project(replica)
    bot = await project.bot()
    await delete_topics(kafka, topic)
    await eventually(lambda: recreated(kafka, topic))

    async def is_filled() -> bool:
        found = dict(await read_topic(kafka, topic))
        return {SNAPSHOT_KEY, entity_key("bot", bot), entity_key("project", project.id)} <= found.keys()

    await eventually(is_filled, seconds=60, every=0.5)


async def recreated(kafka: str, topic: str) -> bool:
    try:
        await create_topic(kafka, topic, config={"cleanup.policy": "compact"})
    except Exception as error:
        raise AssertionError(str(error)) from error
    return True


async def test_a_deleted_entity_ends_with_a_null_after_a_day(
    kafka: str, topic: str, replica: RegistryUnderTest
) -> None:
    project = await new_project(replica)
    bot = await project.bot()
    await project.call("DELETE", f"/v1/bots/{bot}", expect=204)
    pool = replica.database.pool
    async with pool.acquire() as connection:
        await housekeeping.end_deleted(connection)
        assert dict(await read_topic(kafka, topic))[entity_key("bot", bot)] is not None
        await connection.execute("UPDATE entity SET deleted_at = now() - interval '25 hours' WHERE id = $1", bot)
        await housekeeping.end_deleted(connection)

    async def is_buried() -> bool:
        return dict[str, Any](await read_topic(kafka, topic))[entity_key("bot", bot)] is None

    await eventually(is_buried)
    await eventually(lambda: replica.tail.last[entity_key("bot", bot)] == (0, 0))


WRITTEN_COLUMNS = """
SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns
 WHERE table_schema = current_schema AND table_name = 'entity' AND is_generated = 'NEVER'
"""


@pytest.mark.seconds(60)
async def test_a_database_older_than_its_topic_is_told_and_accepted_on_request(
    kafka: str, cluster: Cluster, topic: str, replica: RegistryUnderTest
) -> None:
    project = await new_project(replica)
    bot = await project.bot()
    revoked = await project.post("/v1/tokens", {"name": "revoked", "scopes": ["admin"]})
    pool = replica.database.pool
    columns = await pool.fetchval(WRITTEN_COLUMNS)
    await pool.execute(f"CREATE TABLE backup AS SELECT {columns} FROM entity")
    await project.call("PATCH", f"/v1/bots/{bot}", {"name": "After the backup"})
    await project.call("DELETE", f"/v1/tokens/{revoked['id']}", expect=204)
    younger = await project.post("/v1/tokens", {"name": "younger", "scopes": ["admin"]})
    await pool.execute("DELETE FROM entity")
    await pool.execute(f"INSERT INTO entity ({columns}) OVERRIDING SYSTEM VALUE SELECT * FROM backup")
    async with running_registry(cluster, dsn_of(replica)) as second:
        await kill_leader(dsn_of(replica))
        problem = await eventually(lambda: replica.relay.problem() or second.relay.problem())
        assert f"1 are unknown to it (token/{younger['id']})" in problem
        view = RegistryView(cluster)
        await view.start()
        await view.wait_ready()
        await eventually(lambda: view.find("token", "sha256", digest(younger["token"])) is None)
        await view.stop()
        await replica.tail.read()
        async with pool.acquire() as connection:
            outcome = await accept_restore(connection, replica.tail, replica.site)
        assert (outcome.generation, outcome.revoked, outcome.forgotten) == (2, 1, 1)
        await eventually(lambda: replica.tail.last[f"bot/{bot}"] == (2, 1))
    last = dict(await read_topic(kafka, topic))
    assert b'"A bot"' in (last[f"bot/{bot}"] or b"")
    assert b'"deleted":true' in (last[f"token/{revoked['id']}"] or b"")
    assert last[f"token/{younger['id']}"] is None


def dsn_of(replica: RegistryUnderTest) -> str:
    assert replica.settings.database is not None
    return replica.settings.database.get_secret_value()
