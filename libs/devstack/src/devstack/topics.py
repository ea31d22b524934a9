"""Creates the topics that contracts describe."""

from collections.abc import Iterable, Sequence

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code

from contracts.topic import Topic
from contracts.topics import TOPICS
from devstack.errors import StackError

REPLICAS = 1


async def create_topics(
    bootstrap_servers: str, topics: Sequence[Topic] = TOPICS, *, replicas: int = REPLICAS
) -> list[str]:
    """Create those that are not there yet; their names. A topic that is there is left as it is, partitions included."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    try:
        await admin.start()
        present = set(await admin.list_topics())
        missing = [topic for topic in topics if topic.name not in present]
        if missing:
            await create(admin, missing, replicas)
    except KafkaError as error:
        raise StackError(f"The topics could not be created at {bootstrap_servers}: {error}.") from error
    finally:
        await admin.close()
    return [topic.name for topic in missing]


async def create(admin: AIOKafkaAdminClient, topics: Iterable[Topic], replicas: int) -> None:
    new = [NewTopic(topic.name, topic.partitions, replicas, topic_configs=topic.settings()) for topic in topics]
    response = await admin.create_topics(new)
    for name, code, *_ in response.topic_errors:
        if code:
            raise for_code(code)(name)
