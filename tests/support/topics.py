"""Topics for tests."""

from collections.abc import Mapping

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError

from support.waiting import eventually


async def create_topic(
    bootstrap_servers: str, name: str, *, partitions: int = 1, config: Mapping[str, str] | None = None
) -> str:
    """Create a topic and return its name once it exists."""
    await create_topics(bootstrap_servers, {name: partitions}, config=config)
    return name


async def create_topics(
    bootstrap_servers: str, partitions: Mapping[str, int], *, config: Mapping[str, str] | None = None
) -> None:
    """Create topics, name -> partitions, with one request: it takes as long as for one of them."""
    new = [NewTopic(name, count, 1, topic_configs=dict(config or {})) for name, count in partitions.items()]
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics(new)
    finally:
        await admin.close()


async def set_topic(bootstrap_servers: str, name: str, config: Mapping[str, str]) -> None:
    """Change settings of a topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, dict(config))])
    finally:
        await admin.close()


async def delete_topics(bootstrap_servers: str, *names: str) -> None:
    """Delete topics that a test made."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.delete_topics(list(names))
    finally:
        await admin.close()


async def recreate(bootstrap_servers: str, name: str, *, again: bool = True) -> None:
    """The same name, an empty log of one partition; without `again` no topic at all."""
    await delete_topics(bootstrap_servers, name)

    async def made() -> bool:
        try:
            await create_topic(bootstrap_servers, name)
        except TopicAlreadyExistsError:
            return False
        return True

    if again:
        await eventually(made)
