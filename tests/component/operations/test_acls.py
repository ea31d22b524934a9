"""What contracts grant on Kafka, on a broker that asks: each principal can do its work and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import TopicPartition
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
)
from aiokafka.structs import OffsetAndMetadata
from typer.testing import CliRunner

from contracts import cloudevents, commands, events, project_topics
from contracts.access import OPERATOR, SERVICES, Grant, grants, grants_of_project
from contracts.groups import BRIDGE, GROUPS
from contracts.topic import Topic
from contracts.topics import TOPICS
from operations.acls import apply, principals
from operations.cli import app
from operations.topics import create_topics
from servicekit.kafka.clients import admin_of, make_consumer, make_producer
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.inside_aiokafka import acls
from servicekit.settings import KafkaSettings
from support.databases import Databases
from support.secure_kafka import SecureKafka, make_certificates
from support.waiting import eventually
from switchhook_sdk import CloudEvent, Switchhook

PASSWORD = "right-horse-battery"
STRANGER, SHOP, OWNER = "stranger", "shop", "owner"
EVERYBODY = (*SERVICES, OPERATOR, STRANGER)
NAMED = ("--principal", "ingress=sa-81f3", "--principal", "managed-{}")
USERS = {**principals(NAMED[1::2]), STRANGER: STRANGER, SHOP: SHOP, OWNER: OWNER}
REFUSED = (TopicAuthorizationFailedError, GroupAuthorizationFailedError, ClusterAuthorizationFailedError)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> AsyncIterator[SecureKafka]:
    """As an operator brings it to where services can start: whoever runs it allows the operator what is needed for `setup`."""
    folder = tmp_path_factory.mktemp("authorised")
    users = list(USERS.values())
    server = SecureKafka(folder / "kafka", make_certificates(folder), password=PASSWORD, users=users, authorises=True)
    await server.start()
    anyone = {"SWITCHHOOK_KAFKA": server.bootstrap_servers}
    assert "grants are there" in await asyncio.to_thread(operate, anyone, "acls", "apply", *NAMED)
    with databases.fresh("registry") as dsn:
        operator = server.settings("SASL_PLAINTEXT", **login_of(OPERATOR)) | {"SWITCHHOOK_DATABASE_REGISTRY": dsn}
        assert "grants are there" in await asyncio.to_thread(operate, operator, "setup", "--replicas", "1", *NAMED)
    assert await written(Cluster(server.bootstrap_servers, "blue.")) == {topic.name for topic in TOPICS}
    yield server
    await server.stop()


def operate(env: dict[str, str], *words: str) -> str:
    """What `switchhook-ops` prints."""
    answered = CliRunner().invoke(app, words, env=env | {"SWITCHHOOK_TOPIC_PREFIX": "blue."}, catch_exceptions=False)
    assert answered.exit_code == 0
    return answered.output


def login_of(principal: str) -> dict[str, str]:
    return {"sasl_mechanism": "SCRAM-SHA-512", "user": USERS[principal], "password": PASSWORD}


def as_user(broker: SecureKafka, principal: str) -> Cluster:
    """As a service reaches it that is given the user's login."""
    settings = broker.settings("SASL_PLAINTEXT", **login_of(principal))
    given = {name.removeprefix("SWITCHHOOK_").lower(): value for name, value in settings.items()}
    return KafkaSettings.model_validate(given | {"topic_prefix": "blue."}).cluster


async def written(cluster: Cluster, topics: Sequence[Topic] = TOPICS) -> set[str]:
    """The topics that it can write to: a record in each."""
    producer, done = make_producer(cluster), set[str]()
    try:
        await producer.start()
        for topic in topics:
            with contextlib.suppress(*REFUSED):
                await producer.send_and_wait(cluster.named(topic.name), b"{}", key=b"k", partition=0)
                done.add(topic.name)
    except ClusterAuthorizationFailedError:  # Who may write nowhere gets no producer's id.
        return done
    finally:
        await producer.stop()
    return done


async def readable(cluster: Cluster, expected: set[str], topics: Sequence[Topic] = TOPICS) -> set[str]:
    """The topics of which it gets records, each of which has some: until it has those expected, and a little longer."""
    consumer, found = make_consumer(cluster, client_id="test"), set[str]()
    await consumer.start()
    try:
        partitions = [TopicPartition(cluster.named(topic.name), 0) for topic in topics]
        consumer.assign(partitions)
        for partition in partitions:
            consumer.seek(partition, 0)
        more = 2
        async with asyncio.timeout(10.0):
            while more:
                more -= found >= expected
                with contextlib.suppress(*REFUSED):
                    for partition in await consumer.getmany(timeout_ms=150):
                        found.add(partition.topic.removeprefix(cluster.topic_prefix))
    finally:
        await consumer.stop()
    return found


async def commits(cluster: Cluster, group: str, topic: str) -> bool:
    consumer = make_consumer(cluster, client_id="test", group=group)
    await consumer.start()
    partition = TopicPartition(cluster.named(topic), 0)
    try:
        consumer.assign([partition])
        await consumer.commit({partition: OffsetAndMetadata(0, "")})
    except REFUSED:
        return False
    finally:
        await consumer.stop()
    return True


def may(principal: str, resource: str, name: str, operation: str) -> bool:
    def matches(grant: Grant) -> bool:
        named = name.startswith(grant.name) if grant.begins else name == grant.name
        return (grant.principal, grant.resource, named) == (principal, resource, True) and operation in grant.operations

    return any(map(matches, grants()))


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("principal", EVERYBODY)
async def test_a_principal_writes_and_reads_what_it_is_granted_and_nothing_else(
    broker: SecureKafka, principal: str
) -> None:
    cluster = as_user(broker, principal)
    assert await written(cluster) == {topic.name for topic in TOPICS if may(principal, "topic", topic.name, "Write")}
    expected = {topic.name for topic in TOPICS if may(principal, "topic", topic.name, "Read")}
    assert await readable(cluster, expected) == expected
    shared = {group: topic for groups in (*GROUPS.values(), BRIDGE) for topic, group in groups.items()}
    assert {group for group, topic in shared.items() if await commits(cluster, group, topic)} == {
        group for group in shared if may(principal, "group", group, "Read")
    }


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("principal", [*SERVICES, STRANGER])
async def test_only_the_operator_changes_topics(broker: SecureKafka, principal: str) -> None:
    async with admin_of(as_user(broker, principal)) as admin:
        response = await admin.delete_topics([f"blue.{topic.name}" for topic in TOPICS])
    assert {code for _, code in response.topic_error_codes} <= {TopicAuthorizationFailedError.errno}


@pytest.mark.asyncio(loop_scope="module")
async def test_an_integrators_program_needs_two_topics_and_its_group(
    broker: SecureKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of docs/how-to/integrate-over-kafka.md, with a login and TLS; every other topic refuses it."""
    topic = f"blue.{events.TOPIC.name}"
    rights = ((events.TOPIC.name, "topic", "Read"), (SHOP, "group", "Read"), (commands.TOPIC.name, "topic", "Write"))
    async with admin_of(Cluster(broker.bootstrap_servers)) as admin:
        for name, resource, operation in rights:
            for each in (operation, "Describe"):
                await acls.allow(admin, f"User:{USERS[SHOP]}", resource, f"blue.{name}", each)
    assert await written(as_user(broker, SHOP)) == {commands.TOPIC.name}
    assert await readable(as_user(broker, SHOP), {events.TOPIC.name}) == {events.TOPIC.name}
    for name, value in {**broker.settings("SASL_SSL", **login_of(SHOP)), "SWITCHHOOK_TOPIC_PREFIX": "blue."}.items():
        monkeypatch.setenv(name, value)
    switchhook, seen = Switchhook.from_environment(project="p-1", group=SHOP), list[str]()
    shop = switchhook.commands("swh_secret", source="shop")

    @switchhook.events("contact.created")
    async def created(event: CloudEvent[Any]) -> None:
        seen.append(event.id)

    made = cloudevents.headers(
        id="e-1", type="contact.created", source="switchhook/test", time=cloudevents.now_text(), project="p-1"
    )
    producer = make_producer(Cluster(broker.bootstrap_servers))
    await producer.start()
    await producer.send_and_wait(topic, b'{"data": {}}', headers=made)
    await producer.stop()
    try:
        await switchhook.broker.start()
        assert (await shop.say(bot="b-1", person={"peer_id": "me"}, text="Hello")).status == "sent"
        await eventually(lambda: seen == ["e-1"])
    finally:
        await switchhook.broker.stop()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_projects_programs_come_into_its_own_topics_and_groups_and_nowhere_else(broker: SecureKafka) -> None:
    """As `project kafka --user` grants them, beside a project whose slug begins like its own."""
    own, others = project_topics.topics_of("shop"), project_topics.topics_of("shop-2")
    everything = (*own, *others, commands.TOPIC, events.TOPIC)
    await create_topics(as_user(broker, OPERATOR), (*own, *others))
    anyone, owner = Cluster(broker.bootstrap_servers, "blue."), USERS[OWNER]
    assert await written(anyone, everything) == {topic.name for topic in everything}
    await apply(anyone, {owner: owner}, grants_of_project("shop", owner))
    program = as_user(broker, OWNER)
    assert await written(program, everything) == {own[0].name}
    assert await readable(program, {own[1].name}, everything) == {own[1].name}
    assert await commits(program, "switchhook.project.shop.crm", own[1].name)
    for group in ("switchhook.project.shop-2.crm", "crm", project_topics.GROUP):
        assert not await commits(program, group, own[1].name)


@pytest.mark.asyncio(loop_scope="module")
async def test_services_need_no_grant_for_a_project_that_is_made_later(broker: SecureKafka) -> None:
    made = project_topics.topics_of("later")
    names = {topic.name for topic in made}
    await create_topics(as_user(broker, OPERATOR), made)
    assert await written(Cluster(broker.bootstrap_servers, "blue."), made) == names
    may_write = {principal: await written(as_user(broker, principal), made) for principal in (*SERVICES, STRANGER)}
    assert {principal for principal, topics in may_write.items() if topics} == {"dispatcher"}
    ingress = as_user(broker, "ingress")
    assert await readable(ingress, names, made) == names
    assert await commits(ingress, project_topics.GROUP, made[0].name)
