"""Creates the topics that contracts describe."""

from collections.abc import Mapping, Sequence

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code

from contracts.topic import Topic
from contracts.topics import TOPICS
from operations.errors import CommandError
from servicekit.kafka.clients import admin_of
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.inside_aiokafka import connections

REPLICAS = 1


async def create_topics(cluster: Cluster, topics: Sequence[Topic] = TOPICS, *, replicas: int = REPLICAS) -> list[str]:
    """Create those that are not there yet; their names. A topic that is there is left as it is, partitions included."""
    wanted = {cluster.named(topic.name): topic for topic in topics}
    try:
        async with admin_of(cluster) as admin:
            present = set(await admin.list_topics())
            missing = {name: topic for name, topic in wanted.items() if name not in present}
            if missing:
                await create(admin, missing, replicas)
    except KafkaError as error:
        raise CommandError(
            f"The topics could not be created at {cluster.servers}: {connections.refusal() or error}."
        ) from error
    return list(missing)


async def create(admin: AIOKafkaAdminClient, topics: Mapping[str, Topic], replicas: int) -> None:
    """Create topics. Raises the KafkaError of the first one that is refused."""
    new = [NewTopic(name, topic.partitions, replicas, topic_configs=topic.settings()) for name, topic in topics.items()]
    response = await admin.create_topics(new)
    for name, code, *_ in response.topic_errors:
        if code:
            raise for_code(code)(name)
