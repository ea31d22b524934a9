"""The topics of a cluster: looked at, made, and altered, as contracts describe them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code

from contracts.topic import Topic
from contracts.topics import TOPICS
from operations.errors import CommandError
from operations.kafka import why
from operations.layout import Layout
from operations.topic_plan import Difference, Found, about, differences, partitions_of, settings_of
from servicekit.kafka.clients import admin_of
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.inside_aiokafka import topic_settings

SHOWN_SECONDS = 20.0


async def plan(cluster: Cluster, layout: Layout) -> list[Difference]:
    """What differs from contracts. CommandError when Kafka does not answer or does not tell."""
    async with asked(cluster, "read") as admin:
        wanted = by_name(cluster, TOPICS)
        return differences(wanted, await found(admin, wanted), layout)


async def create_topics(
    cluster: Cluster, topics: Sequence[Topic] = TOPICS, *, layout: Layout | None = None
) -> list[str]:
    """Create those that are not there yet; their names. A topic that is there is left as it is, partitions included."""
    wanted = by_name(cluster, topics)
    async with asked(cluster, "created") as admin:
        present = set(await admin.list_topics())
        missing = {name: topic for name, topic in wanted.items() if name not in present}
        if missing:
            await create(admin, missing, layout or Layout())
    return list(missing)


async def create(admin: AIOKafkaAdminClient, topics: Mapping[str, Topic], layout: Layout) -> None:
    """Create topics. Raises the KafkaError of the first one that is refused."""
    replicas = layout.replicas
    response = await admin.create_topics([
        NewTopic(name, partitions_of(topic, layout), replicas, topic_configs=settings_of(topic, layout, replicas))
        for name, topic in topics.items()
    ])  # fmt: skip
    for name, code, *said in response.topic_errors:
        if code:
            raise for_code(code)(f"{name}: {said[0]}" if said and said[0] else name)


async def alter(cluster: Cluster, layout: Layout, *, force: bool = False) -> list[Difference]:
    """Give the topics the settings that differ; what was set. With `force` also those of which somebody set more.

    What else is set on a topic stays.
    """
    wanted = by_name(cluster, TOPICS)
    async with asked(cluster, "altered") as admin:
        present = await found(admin, wanted)
        said = about(differences(wanted, present, layout), "alter", *(("alter --force",) if force else ()))
        for name in dict.fromkeys(each.topic for each in said):
            changed = {each.what: each.meant for each in said if each.topic == name}
            # Kafka takes this as all that is set on the topic: what is not said is not set any more.
            await topic_settings.replace(admin, name, {**present[name].own, **changed})
        await _shown(admin, said)
    return said


async def _shown(admin: AIOKafkaAdminClient, changed: Sequence[Difference]) -> None:
    """Returns once a broker tells what was set: it hears of it from the controller, some moments after its answer."""
    names = {each.topic for each in changed}
    async with asyncio.timeout(SHOWN_SECONDS):
        while changed:
            now = await found(admin, names)
            if all(now[each.topic].settings.get(each.what) == each.meant for each in changed):
                return
            await asyncio.sleep(0.1)


async def found(admin: AIOKafkaAdminClient, names: Iterable[str]) -> dict[str, Found]:
    """Those of the topics that are there. Raises KafkaError."""
    described = {each["topic"]: each["partitions"] for each in await admin.describe_topics()}
    present = {name: described[name] for name in names if described.get(name)}
    settings = await topic_settings.read(admin, list(present))
    return {
        name: Found(len(parts), min(len(part["replicas"]) for part in parts), *settings[name])
        for name, parts in present.items()
    }


def by_name(cluster: Cluster, topics: Iterable[Topic]) -> dict[str, Topic]:
    """The topics by their names on the cluster."""
    return {cluster.named(topic.name): topic for topic in topics}


@asynccontextmanager
async def asked(cluster: Cluster, done: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client. CommandError where Kafka refuses what is done in the block, or does not answer."""
    try:
        async with admin_of(cluster) as admin:
            yield admin
    except (KafkaError, TimeoutError) as error:
        raise CommandError(f"The topics could not be {done} at {cluster.servers}: {why(error)}.") from error
