"""Logins and encryption on a real broker: every way in works, and a refusal is said in a sentence and tried again."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from contracts.topics import TOPICS
from operations.errors import CommandError
from operations.topics import create_topics
from servicekit.kafka.assigned_reader import AssignedReader
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.inside_aiokafka import connections
from servicekit.kafka.publisher import KafkaPublisher
from servicekit.kafka.records import Outgoing, Record
from servicekit.settings import KafkaSettings
from support.logs import configured
from support.secure_kafka import USER, SecureKafka, make_certificates
from support.waiting import eventually

PASSWORD, OTHER = "right-horse-battery", "wrong-horse-battery"
TOPIC = TOPICS[0].name


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SecureKafka]:
    folder = tmp_path_factory.mktemp("secure")
    server = SecureKafka(folder / "kafka", make_certificates(folder), password=PASSWORD)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def said() -> Iterator[io.BytesIO]:
    """What is logged, down to the last detail."""
    with configured("test", "DEBUG") as stream:
        yield stream


def cluster_of(broker: SecureKafka, protocol: str, **more: str) -> Cluster:
    """As a service has it that is given these settings."""
    given = {
        name.removeprefix("SWITCHHOOK_").lower(): value for name, value in broker.settings(protocol, **more).items()
    }
    return KafkaSettings.model_validate(given | {"topic_prefix": f"{protocol.lower()}."}).cluster


def login(mechanism: str, password: str = PASSWORD) -> dict[str, str]:
    return {"sasl_mechanism": mechanism, "user": USER, "password": password}


async def goes_through(cluster: Cluster) -> None:
    """Make the topics, write a record and read it."""
    await create_topics(cluster)
    received: list[Record] = []
    publisher = KafkaPublisher(cluster, client_id="test")
    reader = AssignedReader(cluster, TOPIC, client_id="test", begin="start", receive=received.extend)
    await publisher.start()
    reading = asyncio.create_task(reader.run())
    try:
        await eventually(lambda: publisher.connected)
        offset = await publisher.publish(Outgoing(TOPIC, b"k", b"v", [], 0))
        await eventually(lambda: offset in [record.offset for record in received])
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await publisher.stop()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
async def test_a_login_lets_us_in(broker: SecureKafka, said: io.BytesIO, protocol: str, mechanism: str) -> None:
    await goes_through(cluster_of(broker, protocol, **login(mechanism)))
    assert connections.refusal() is None
    assert PASSWORD.encode() not in said.getvalue()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_client_certificate_lets_us_in(broker: SecureKafka) -> None:
    ours = {"certificate": str(broker.pems.certificate), "key": str(broker.pems.key)}
    await goes_through(cluster_of(broker, "SSL", **ours))


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("protocol", "given", "sentence"),
    [
        ("SASL_PLAINTEXT", login("PLAIN", OTHER), "refuses the user 'switchhook': check SWITCHHOOK_KAFKA_USER and"),
        ("SASL_SSL", login("SCRAM-SHA-512", OTHER), "refuses the user 'switchhook': check SWITCHHOOK_KAFKA_USER and"),
        ("SASL_SSL", login("PLAIN") | {"ca": ""}, "is not trusted (.*): check SWITCHHOOK_KAFKA_CA"),
        ("SSL", {}, "no TLS connection .* SWITCHHOOK_KAFKA_CERTIFICATE"),
    ],
    ids=["plain", "scram", "unknown authority", "no certificate"],
)
async def test_who_is_not_let_in_says_why(
    broker: SecureKafka, said: io.BytesIO, protocol: str, given: dict[str, Any], sentence: str
) -> None:
    cluster = cluster_of(broker, protocol, **{name: value for name, value in given.items() if value})
    if given.get("ca") == "":
        cluster = KafkaSettings.model_validate(
            {"kafka": cluster.servers, "kafka_security_protocol": protocol}
            | {f"kafka_{name}": value for name, value in given.items() if value}
        ).cluster
    with pytest.raises(CommandError, match=sentence):
        await create_topics(cluster)
    assert b'"kafka.refused"' in said.getvalue()
    assert OTHER.encode() not in said.getvalue()
    connections._refusals.clear()


@pytest.mark.seconds(60)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_wrong_password_is_tried_until_the_broker_takes_it(broker: SecureKafka, said: io.BytesIO) -> None:
    cluster = cluster_of(broker, "SASL_PLAINTEXT", **login("PLAIN", OTHER))
    publisher = KafkaPublisher(cluster, client_id="test")
    await publisher.start()
    try:
        await eventually(lambda: connections.refusal() is not None)
        assert not publisher.connected
        await broker.stop()
        broker.password = OTHER
        await broker.start()
        await eventually(lambda: publisher.connected, seconds=20)
        assert connections.refusal() is None
    finally:
        await publisher.stop()
        broker.password = PASSWORD
    assert OTHER.encode() not in said.getvalue()
