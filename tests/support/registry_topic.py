"""The registry's topic as a new reader finds it."""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer, TopicPartition


async def read_topic(kafka: str, topic: str) -> list[tuple[str, bytes | None]]:
    """Key and value of every committed record, in the topic's order."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, isolation_level="read_committed")
    await consumer.start()
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        found: list[tuple[str, bytes | None]] = []
        while await consumer.position(partition) < end:
            for record in (await consumer.getmany(partition, timeout_ms=200)).get(partition, []):
                found.append((record.key.decode(), record.value))
        return found
    finally:
        await consumer.stop()
