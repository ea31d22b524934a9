"""Topics for one test."""

from collections.abc import Mapping

from aiokafka.admin import AIOKafkaAdminClient, NewTopic


async def create_topic(
    bootstrap_servers: str, name: str, *, partitions: int = 1, config: Mapping[str, str] | None = None
) -> str:
    """Create a topic and return its name once it exists."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=dict(config or {}))])
    finally:
        await admin.close()
    return name


async def delete_topics(bootstrap_servers: str, *names: str) -> None:
    """Delete topics that a test made."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.delete_topics(list(names))
    finally:
        await admin.close()
