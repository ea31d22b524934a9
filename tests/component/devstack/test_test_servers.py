"""The fixtures that other component tests stand on."""

from collections.abc import Awaitable, Callable

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer


async def test_a_topic_of_this_test_keeps_what_is_sent(kafka: str, make_topic: Callable[..., Awaitable[str]]) -> None:
    topic = await make_topic("kept", partitions=2)
    async with AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True) as producer:
        await producer.send_and_wait(topic, b"value", key=b"key")
    async with AIOKafkaConsumer(topic, bootstrap_servers=kafka, auto_offset_reset="earliest") as consumer:
        record = await consumer.getone()
    assert (record.key, record.value) == (b"key", b"value")


async def test_a_database_is_empty_and_of_this_test(database: str, module_database: str) -> None:
    assert database != module_database
    connection = await asyncpg.connect(database)
    try:
        tables = await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert tables == 0
        shown = {name: await connection.fetchval(f"SHOW {name}") for name in ("jit", "fsync", "synchronous_commit")}
        assert shown == {"jit": "off", "fsync": "off", "synchronous_commit": "on"}
    finally:
        await connection.close()
