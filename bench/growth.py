"""Does it slow down as it fills? Cost an event with 1,000 and with 1,000,000 stored conversations, drawn uniformly from a
cold cache; cost of claiming retries with none and with 1,000,000 due rows of one destination whose circuit is open."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer

from bench.engine import lay, message
from bench.flows import three_nodes
from bench.growth_claims import claims_cost
from bench.measure import CpuMeter, median, report
from bench.rig import Rig, Watch, frozen, options, rig
from contracts import actions
from contracts.ids import conversation_key, uuid7
from flow_engine.state.ids import conversation_id

FEW, MANY = 1_000, 1_000_000
ROUNDS = 3
EVENTS = 12_000
CHUNK = 50_000
PAGE_CACHE = Path("/proc/sys/vm/drop_caches")


async def first_conversation(bench: Rig, producer: Any, channel: str) -> None:
    """One real conversation, which the others are copies of."""
    async with Watch(bench.stack.bootstrap_servers, actions.TOPIC.name) as watch:
        await lay(producer, [message(bench, channel, "0", "/go")])
        await watch.until(1)


async def fill(bench: Rig, channel: str, first: int, last: int) -> None:
    """Conversations with the people `first` to `last`, as the engine would have stored them."""
    connection = await asyncpg.connect(bench.stack.dsn("flow-engine"))
    try:
        template = await connection.fetchrow("SELECT * FROM flow_engine.conversation LIMIT 1")
        contact = await connection.fetchrow("SELECT * FROM flow_engine.contact LIMIT 1")
        assert template is not None
        assert contact is not None
        for start in range(first, last + 1, CHUNK):
            people = [(peer, str(uuid7())) for peer in range(start, min(start + CHUNK, last + 1))]
            rows = [conversation_row(bench, channel, template, peer, id) for peer, id in people]
            await connection.copy_records_to_table(
                "conversation", records=rows, columns=list(template.keys()), schema_name="flow_engine"
            )
            contacts = [tuple((dict(contact) | {"id": id}).values()) for _, id in people]
            await connection.copy_records_to_table(
                "contact", records=contacts, columns=list(contact.keys()), schema_name="flow_engine"
            )
        for table in ("conversation", "contact"):
            await connection.execute(f"VACUUM (FREEZE, ANALYZE) flow_engine.{table}")
    finally:
        await connection.close()


def conversation_row(bench: Rig, channel: str, template: asyncpg.Record, peer: int, contact: str) -> tuple[Any, ...]:
    """A copy of the first one; its state says nothing that other columns say (flow_engine.state.stored_state)."""
    key = conversation_key(bench.bot, channel, str(peer))
    own = {"id": conversation_id(key), "key": key, "contact_id": contact}
    return tuple((dict(template) | own).values())


async def empty_caches(bench: Rig) -> None:
    """Empty every cache: a new engine, a restarted PostgreSQL and, where that is allowed, an empty page cache."""
    engine = bench.stack.service("flow-engine")
    await engine.stop()
    await bench.stack.postgres.stop()
    await asyncio.to_thread(forget_pages)
    await bench.stack.postgres.start()
    await engine.start()


def forget_pages() -> None:
    """Empty the machine's page cache, where that is allowed."""
    with contextlib.suppress(OSError):
        os.sync()
        PAGE_CACHE.write_text("3")


async def cost(bench: Rig, producer: Any, channel: str, population: int, seed: int) -> tuple[float, float]:
    """Milliseconds of time, and of CPU of engine and PostgreSQL, an event."""
    await empty_caches(bench)
    seeded = random.Random(seed)
    records = [message(bench, channel, str(seeded.randint(1, population)), "/go") for _ in range(EVENTS)]
    engine = bench.stack.service("flow-engine").pid
    meter = CpuMeter.start({"engine": engine, "postgres": bench.stack.postgres.pid})
    async with Watch(bench.stack.bootstrap_servers, actions.TOPIC.name) as watch:
        with frozen(engine):
            await lay(producer, records)
            begun = time.time()
        _, last = await watch.until(EVENTS)
    return (last - begun) * 1000 / EVENTS, sum(meter.ms_per_event(EVENTS).values())


async def engine_growth() -> dict[str, Any]:
    """The engine's part: medians of time and CPU, few and many, and their ratios."""
    async with rig({"registry": {}, "flow-engine": {}}) as bench:
        await bench.api.publish_flow(bench.bot, three_nodes())
        channel = await bench.telegram("http://127.0.0.1:9")
        producer = AIOKafkaProducer(bootstrap_servers=bench.stack.bootstrap_servers, max_batch_size=256 * 1024)
        await producer.start()
        try:
            await first_conversation(bench, producer, channel)
            await fill(bench, channel, 1, FEW)
            few = [await cost(bench, producer, channel, FEW, each) for each in range(ROUNDS)]
            await fill(bench, channel, FEW + 1, MANY)
            many = [await cost(bench, producer, channel, MANY, each) for each in range(ROUNDS)]
        finally:
            await producer.stop()
    few_ms, few_cpu = (median(part) for part in zip(*few, strict=True))
    many_ms, many_cpu = (median(part) for part in zip(*many, strict=True))
    return {
        "engine_ratio": round(many_ms / few_ms, 3),
        "engine_cpu_ratio": round(many_cpu / few_cpu, 3),
        "ms_per_event": {"few": few_ms, "many": many_ms},
        "cpu_ms_per_event": {"few": few_cpu, "many": many_cpu},
    }


async def main() -> None:
    engine = await engine_growth()
    report("growth", **engine, **await claims_cost())


if __name__ == "__main__":
    options(seconds=0.0)  # takes --seconds as its siblings do; the sizes decide how long it runs
    asyncio.run(main())
