"""Events through a 3-node flow, beside getmany, one unnest transaction and produce without any logic.

`--replicas 2` has as many engines share the work, as one would run them on a machine with so many cores.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from bench.flows import three_nodes
from bench.measure import report_ratio
from bench.rig import Rig, Watch, frozen, options, process, rig, scratch_database
from contracts import actions, cloudevents, inbound
from contracts.ids import conversation_key, uuid7

ROUNDS = 5
PEOPLE = 2_000
EVENTS_PER_SECOND = 2_500
"""How many events a round lays down for each second it may take."""


def message(bench: Rig, channel: str, peer: str, text: str, kind: inbound.ChannelType = "telegram") -> dict[str, Any]:
    """An inbound record as ingress would write it, 1 KB with what the platform sent along."""
    now = cloudevents.now_text()
    event = inbound.MessageReceived(
        project_id=bench.project,
        bot_id=bench.bot,
        channel_id=channel,
        peer_id=peer,
        channel_type=kind,
        received_at=now,
        message_id=str(uuid7()),
        text=text,
        provider={"pad": "x" * 500},
    )
    headers = cloudevents.headers(
        id=str(uuid7()), type="inbound.message", source="bench", time=now, project=bench.project
    )
    key = conversation_key(bench.bot, channel, peer).encode()
    return {"topic": inbound.TOPIC.name, "key": key, "value": event.encode(), "headers": headers}


def padded(record: dict[str, Any], topic: str) -> dict[str, Any]:
    """The same key with a bare 1 KB value, for the raw loop."""
    return {"topic": topic, "key": record["key"], "value": orjson.dumps({"pad": "x" * 1000})}


async def lay(producer: Any, records: list[dict[str, Any]]) -> None:
    await asyncio.gather(*[await producer.send(**record) for record in records])


async def round_of(producer: Any, kafka: str, pids: list[int], output: str, records: list[dict[str, Any]]) -> float:
    """Lay the records down before frozen processes, let them go: events per second until the last output."""
    async with Watch(kafka, output) as watch:
        with frozen(*pids):
            await lay(producer, records)
            begun = time.time()
        _, last = await watch.until(len(records))
    return len(records) / (last - begun)


async def main(seconds: float, replicas: int) -> None:
    count = int(EVENTS_PER_SECOND * seconds / (2 * (ROUNDS + 1)))
    engines = ["flow-engine", *(f"flow-engine-{number}" for number in range(2, replicas + 1))]
    async with rig({name: {} for name in ("registry", *engines)}) as bench:
        await bench.api.publish_flow(bench.bot, three_nodes())
        channel = await bench.telegram("http://127.0.0.1:9")
        kafka, dsn = bench.stack.bootstrap_servers, await scratch_database(bench.stack)
        source, target = await bench.create_topic("raw.in"), await bench.create_topic("raw.out")
        producer = AIOKafkaProducer(bootstrap_servers=kafka, max_batch_size=256 * 1024)
        await producer.start()
        try:
            async with process("bench.raw", "engine", kafka, dsn, source, target) as (raw_loop, _):
                ours, raw = [], []
                pids = [bench.stack.service(name).pid for name in engines]
                for _ in range(ROUNDS + 1):
                    records = [message(bench, channel, f"{number % PEOPLE}", "/go") for number in range(count)]
                    ours.append(await round_of(producer, kafka, pids, actions.TOPIC.name, records))
                    bare = [padded(record, source) for record in records]
                    raw.append(await round_of(producer, kafka, [raw_loop.pid], target, bare))
        finally:
            await producer.stop()
    report_ratio("engine", ours[1:], raw[1:], "events/s", events_a_round=count, replicas=replicas)


if __name__ == "__main__":
    chosen = options(seconds=60.0, replicas=1)
    asyncio.run(main(chosen.seconds, chosen.replicas))
