"""Dead letters of all services over the API: what is listed, where a released one goes, what is kept of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from contracts import commands, dlq, inbound
from contracts.cloudevents import headers
from registry.kafka.dead_letters import DeadLetters, Place, place_of
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.publisher import KafkaPublisher
from servicekit.kafka.records import Record, dead_letter
from support.registry_api import RegistryUnderTest
from support.topics import create_topic, delete_topics

pytestmark = pytest.mark.asyncio(loop_scope="module")
ABOUT = (("src-topic", b"switchhook.inbound.v1"), *headers(id="e1", type="inbound.message", source="test", time="now"))


def record(topic: str = inbound.TOPIC.name) -> Record:
    return Record(topic, 1, 7, 1_700_000_000_000, b"b/c/p", b'{"kind":"odd"}', ABOUT)


async def test_a_letter_is_listed_shown_and_released_once(registry: RegistryUnderTest) -> None:
    letters = registry.letters
    place = letters.add("flow-engine", record(), "wrong-schema")
    listed = (await registry.client.get("/v1/dlq", params={"service": "flow-engine"})).json()["items"]
    assert [(one["id"], one["code"], one["topic"], one["offset"], one["event_id"]) for one in listed] == [
        (place.id, "wrong-schema", inbound.TOPIC.name, 7, "e1")
    ]
    shown = (await registry.client.get(f"/v1/dlq/{place.id}")).json()
    assert (shown["value"], shown["headers"]["ce_id"], shown["message"]) == (
        '{"kind":"odd"}', "e1", "it is wrong-schema"
    )  # fmt: skip
    released = await registry.client.post(f"/v1/dlq/{place.id}/release")
    assert (released.status_code, released.json()["state"]) == (200, "released")
    (written,) = letters.published
    assert (written.topic, written.key, written.value) == (inbound.TOPIC.name, b"b/c/p", b'{"kind":"odd"}')
    assert tuple(written.headers) == ABOUT[1:]
    again = await registry.client.post(f"/v1/dlq/{place.id}/release")
    assert (again.status_code, len(letters.published)) == (409, 1)
    assert (await registry.client.get("/v1/dlq")).json()["items"] == []


async def test_pages_go_over_all_services_and_leave_out_what_is_settled(registry: RegistryUnderTest) -> None:
    letters = registry.letters
    made = [letters.add(service, record(), "not-json") for service in dlq.SERVICES for _ in range(3)]
    for place in made[::2]:
        assert (await registry.client.post(f"/v1/dlq/{place.id}/discard")).status_code == 200
    seen: list[str] = []
    page = {"next": ""}
    while page["next"] is not None:
        cursor = {"cursor": page["next"]} if page["next"] else {}
        page = (await registry.client.get("/v1/dlq", params={"limit": "2"} | cursor)).json()
        seen += [one["id"] for one in page["items"]]
    assert seen == [place.id for place in made[1::2]]


async def test_a_command_cannot_be_released_since_its_token_is_not_kept(registry: RegistryUnderTest) -> None:
    place = registry.letters.add("ingress", record(commands.TOPIC.name), "failed")
    refused = await registry.client.post(f"/v1/dlq/{place.id}/release")
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (409, "not-releasable")


@pytest.mark.parametrize("id", ["nonsense", "flow-engine.0.99", "nobody.0.0", "flow-engine.0.-1", "flow-engine.0.²"])
async def test_a_letter_that_there_is_not_is_404(registry: RegistryUnderTest, id: str) -> None:
    assert (await registry.client.get(f"/v1/dlq/{id}")).status_code == 404
    assert (await registry.client.post(f"/v1/dlq/{id}/discard")).status_code == 404


@pytest_asyncio.fixture(loop_scope="module")
async def letters(registry_cluster: Cluster, kafka: str) -> AsyncIterator[DeadLetters]:
    """The real ones, over topics of this test."""
    names = [registry_cluster.named(dlq.topic_for("dispatcher").name), registry_cluster.named(inbound.TOPIC.name)]
    for name in names:
        await create_topic(kafka, name, partitions=2)
    publisher = KafkaPublisher(registry_cluster, client_id="test")
    await publisher.start()
    try:
        for partition in (0, 1, 1):
            made = dead_letter("dispatcher", record(), "failed", "a bug")
            await publisher.publish(made._replace(partition=partition))
        yield DeadLetters(registry_cluster, publisher, "test")
    finally:
        await publisher.stop()
        await delete_topics(kafka, *names)


async def test_letters_are_read_from_kafka_in_order(letters: DeadLetters) -> None:
    found = await letters.after("dispatcher", None, 10)
    assert [letter.place for letter in found] == [
        Place("dispatcher", 0, 0), Place("dispatcher", 1, 0), Place("dispatcher", 1, 1)
    ]  # fmt: skip
    assert [letter.place for letter in await letters.after("dispatcher", found[0].place, 1)] == [found[1].place]
    assert await letters.after("dispatcher", found[-1].place, 10) == []
    assert await letters.find(found[2].place) == found[2]
    assert await letters.find(Place("dispatcher", 0, 9)) is None
    assert await letters.find(Place("dispatcher", 9, 0)) is None
    assert place_of(found[2].place.id) == found[2].place
