"""Whether nothing of an installation is on its way: what has to be so before a key may lie in another partition."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import for_code

from contracts.groups import BRIDGE, GROUPS
from operations import postgres, topics
from operations.checkpoints import Checkpoint, checkpoints
from operations.installation import Installation
from operations.replicas import replicas_of
from operations.topic_plan import ALIKE
from servicekit.kafka.clients import make_consumer
from servicekit.kafka.cluster import Cluster

PROBE_SECONDS = 2.0
NAMES = frozenset(topic.name for topic in ALIKE)


@dataclass(frozen=True)
class Waiting:
    """A query of one service's database that counts what is on its way, and the words for it."""

    service: str
    query: str
    words: str


WAITING = (
    *(
        Waiting(service, "SELECT count(*) FROM outbox", "batches whose records Kafka has not acknowledged")
        for service in ("registry", "flow-engine", "dispatcher")
    ),
    Waiting("flow-engine", "SELECT count(*) FROM held WHERE deferred", "turns that are made apart from their batches"),
    Waiting("dispatcher", "SELECT count(*) FROM result_outbox", "results on their way to flow-engine"),
    Waiting(
        "dispatcher",
        "SELECT count(*) FROM event_copy WHERE next_offset <= last_offset",
        "partitions of which events are to be copied to a project's topic",
    ),
    Waiting(
        "dispatcher",
        "SELECT count(*) FROM delivery WHERE lane IS NOT NULL AND finished_at IS NULL",
        "messages and ordered webhooks without a final state",
    ),
)


async def undrained(here: Installation) -> list[str]:
    """What is not drained, a line each; empty when everything is. CommandError when a server does not answer, or a database is
    not known."""
    found = [line async for line in _running(here.urls)]
    found += await _members(here.kafka())
    for service in ("flow-engine", "dispatcher"):
        found += await _unread(here.kafka(), service, here.database(service))
    for each in WAITING:
        if count := await _count(each, here.database(each.service)):
            found.append(f"{each.service}: {count} {each.words}")
    return found


async def _running(urls: Mapping[str, str]) -> AsyncIterator[str]:
    async with httpx.AsyncClient(timeout=PROBE_SECONDS, trust_env=False) as client:
        for replica, url in (await replicas_of(urls)).items():
            try:
                await client.get(f"{url}/health/live")
            except httpx.ConnectError:
                continue
            except httpx.HTTPError:
                pass  # It is there, and does not answer as it should.
            yield f"{replica} runs at {url}: stop it"


async def _members(cluster: Cluster) -> list[str]:
    """Of the groups: also a replica whose URL nobody named is found by them."""
    groups = [group for each in (*GROUPS.values(), BRIDGE) for group in each.values()]
    async with topics.asked(cluster, "asked for their groups") as admin:
        counts = [(group, await _count_of(admin, cluster.named(group))) for group in groups]
    return [
        f"{count} replicas are members of the group {group}: stop them (one that has ended counts for as long as"
        " SWITCHHOOK_SESSION_TIMEOUT_SECONDS)"
        for group, count in counts
        if count
    ]


async def _count_of(admin: AIOKafkaAdminClient, group: str) -> int:
    (answer,) = await admin.describe_consumer_groups([group])
    ((code, _, _, _, _, members, *_),) = answer.groups
    if code:
        raise for_code(code)(group)
    return len(members)


async def _unread(cluster: Cluster, service: str, dsn: str) -> list[str]:
    """Partitions of the keyed topics that the service has not read to their ends."""
    standing = {(at.topic, at.part): at for at in await checkpoints(service, dsn) if at.topic in NAMES}
    async with topics.asked(cluster, "compared with the checkpoints"):
        consumer = make_consumer(cluster, client_id="switchhook-operator")
        try:
            await consumer.start()
            return [
                line for topic in GROUPS[service] for line in await _behind(cluster, consumer, service, topic, standing)
            ]
        finally:
            await consumer.stop()


async def _behind(
    cluster: Cluster,
    consumer: AIOKafkaConsumer,
    service: str,
    topic: str,
    standing: Mapping[tuple[str, int], Checkpoint],
) -> list[str]:
    places = await _partitions(consumer, cluster.named(topic))
    starts, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    lines = []
    for where in places:
        at = standing.get((topic, where.partition))
        begun = starts[where] if at is None else at.next_offset
        if begun != ends[where]:
            lines.append(f"{service} stands at {begun} of {topic}/{where.partition}, which ends at {ends[where]}")
    return lines


async def _partitions(consumer: AIOKafkaConsumer, name: str) -> Sequence[TopicPartition]:
    first = TopicPartition(name, 0)
    consumer.assign([first])
    await consumer.end_offsets([first])  # From then on it knows the topic.
    return [TopicPartition(name, part) for part in sorted(consumer.partitions_for_topic(name) or ())]


async def _count(waiting: Waiting, dsn: str) -> int:
    async with postgres.asked(dsn, waiting.service, "did not tell what waits") as connection:
        found: int = await connection.fetchval(waiting.query)
    return found
