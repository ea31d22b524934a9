"""A project's own topics: noted by the registry, made on Kafka with the operator's rights, granted to who is named."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from contracts import project_topics
from contracts.access import grants_of_project
from operations.acls import apply
from operations.api import Api
from operations.errors import CommandError
from operations.layout import Layout
from operations.topics import create_topics
from servicekit.kafka.cluster import Cluster


async def give(
    api: Api, cluster: Cluster, project: str, users: Sequence[str], partitions: int, layout: Layout
) -> AsyncIterator[str]:
    """What was done, and what is still to be granted, a line each. Again: what is there is left as it is.

    CommandError when the project's topics have other names here than at the registry, or Kafka refuses.
    """
    slug = (await api.get(f"/v1/projects/{project}"))["slug"]
    told = await api.post(f"/v1/projects/{project}/kafka", None)
    topics = project_topics.topics_of(slug, partitions)
    if [cluster.named(topic.name) for topic in topics] != [told["commands_topic"], told["events_topic"]]:
        raise CommandError(
            f"The registry calls the topics {told['commands_topic']} and so on: give SWITCHHOOK_TOPIC_PREFIX as it has it."
        )
    for name in await create_topics(cluster, topics, layout=layout):
        yield f"created {name}"
    for user in users:
        count = await apply(cluster, {user: user}, grants_of_project(slug, user))
        yield f"{count} grants are there for User:{user}"
    if not users:
        for line in told["acls"]:
            yield line


async def take_away(api: Api, project: str) -> AsyncIterator[str]:
    """They are no longer used; what is still to be done on Kafka, a line each."""
    told = await api.get(f"/v1/projects/{project}/kafka")
    await api.delete(f"/v1/projects/{project}/kafka")
    for name in (told["commands_topic"], told["events_topic"]):
        yield f"no longer used: {name}; its records and who may read them are there until you delete it"
