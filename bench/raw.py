"""The raw loops that Switchhook is measured beside: the same hops, the same durability, no logic.

`python -m bench.raw ingress PORT KAFKA TOPIC` · `engine KAFKA DSN SOURCE TARGET` · `dispatcher KAFKA DSN SOURCE URL` ·
`post URL COUNT BYTES`. Each prints `ready` once it works.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg
import uvicorn
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

BATCH = 250
IN_FLIGHT = 64
STATE = b"s" * 1024


def _producer(kafka: str) -> Any:
    return AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True, acks="all", max_batch_size=256 * 1024)


def _consumer(kafka: str, topic: str) -> Any:
    return AIOKafkaConsumer(
        topic, bootstrap_servers=kafka, group_id=f"raw-{topic}", auto_offset_reset="earliest", enable_auto_commit=False
    )


async def ingress(port: str, kafka: str, topic: str) -> None:
    """Bare ASGI: read the body, send_and_wait, answer 202 with an id, which also travels in the record."""
    producer = _producer(kafka)
    await producer.start()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        event_id = str(uuid4()).encode()
        await producer.send_and_wait(topic, b'{"event_id":"%b","body":%b}' % (event_id, body), key=event_id)
        await send({"type": "http.response.start", "status": 202, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b'{"event_id":"%b"}' % event_id})

    server = uvicorn.Server(uvicorn.Config(app, port=int(port), log_level="warning", lifespan="off", http="httptools"))
    print("ready", flush=True)
    await server.serve()


async def engine(kafka: str, dsn: str, source: str, target: str) -> None:
    """getmany, one unnest transaction of 1 KB states, produce."""
    consumer, producer = _consumer(kafka, source), _producer(kafka)
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TABLE IF NOT EXISTS raw_state (key text PRIMARY KEY, state bytea NOT NULL)")
    await asyncio.gather(consumer.start(), producer.start())
    print("ready", flush=True)
    while True:
        records = [r for part in (await consumer.getmany(timeout_ms=1000, max_records=BATCH)).values() for r in part]
        if not records:
            continue
        keys = sorted({record.key.decode() for record in records})
        async with connection.transaction():
            await connection.execute(
                "INSERT INTO raw_state SELECT * FROM unnest($1::text[], $2::bytea[])"
                " ON CONFLICT (key) DO UPDATE SET state = EXCLUDED.state",
                keys,
                [STATE] * len(keys),
            )
        sent = [await producer.send(target, record.value, key=record.key) for record in records]
        await asyncio.gather(*sent)


async def dispatcher(kafka: str, dsn: str, source: str, url: str) -> None:
    """getmany, insert rows, aiohttp POSTs, 64 in flight, update the rows."""
    consumer = _consumer(kafka, source)
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS raw_delivery (id uuid PRIMARY KEY, body bytea NOT NULL, status int)"
    )
    await consumer.start()
    gate = asyncio.Semaphore(IN_FLIGHT)
    print("ready", flush=True)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=IN_FLIGHT)) as session:

        async def post(body: bytes) -> int:
            async with gate, session.post(url, data=body) as answer:
                return answer.status

        while True:
            records = [
                r for part in (await consumer.getmany(timeout_ms=1000, max_records=BATCH)).values() for r in part
            ]
            if not records:
                continue
            ids = [uuid4() for _ in records]
            await connection.execute(
                "INSERT INTO raw_delivery (id, body) SELECT * FROM unnest($1::uuid[], $2::bytea[])",
                ids,
                [record.value for record in records],
            )
            statuses = await asyncio.gather(*(post(record.value) for record in records))
            await connection.execute(
                "UPDATE raw_delivery d SET status = u.status FROM unnest($1::uuid[], $2::int[]) u(id, status) WHERE d.id = u.id",
                ids,
                statuses,
            )


async def post(url: str, count: str, size: str) -> None:
    """A bare aiohttp POST loop, 64 in flight; prints requests per second."""
    left = iter(range(int(count)))
    body = b'{"pad":"' + b"x" * int(size) + b'"}'
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=IN_FLIGHT)) as session:

        async def worker() -> None:
            for _ in left:
                async with session.post(url, data=body, headers={"content-type": "application/json"}) as answer:
                    await answer.read()

        start = time.monotonic()
        await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
        print(int(count) / (time.monotonic() - start), flush=True)


if __name__ == "__main__":
    loops: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {
        "ingress": ingress,
        "engine": engine,
        "dispatcher": dispatcher,
        "post": post,
    }
    uvloop.run(loops[sys.argv[1]](*sys.argv[2:]))
