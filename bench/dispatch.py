"""Signed deliveries to a local sink, rows written, beside a bare aiohttp POST loop with 64 in flight."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import AIOKafkaProducer

from bench.engine import lay
from bench.measure import CpuMeter, median, report_ratio
from bench.rig import Rig, Sink, frozen, options, process, rig, sink
from contracts import actions, cloudevents
from contracts.ids import conversation_key, uuid7

ROUNDS = 5
DELIVERIES_PER_SECOND = 2_500
"""How many deliveries a round lays down for each second it may take."""


def webhook(bench: Rig, url: str, number: int) -> dict[str, Any]:
    """An action as the engine would write it, its body 1 KB, from one of 1,000 conversations."""
    now, key = cloudevents.now_text(), conversation_key(bench.bot, bench.channel, f"p{number % 1000}")
    action = actions.PostWebhook(
        id=str(uuid7()),
        project_id=bench.project,
        bot_id=bench.bot,
        conversation=key,
        day=now[:10],
        created_at=now,
        url=url,
        title="Bench",
        timestamp=now,
        data={"event_id": str(uuid7()), "pad": "x" * 900},
    )
    headers = cloudevents.headers(
        id=action.id, type="action.post_webhook", source="bench", time=now, project=bench.project
    ) + cloudevents.source_headers("bench", 0, number, 0)
    return {"topic": actions.TOPIC.name, "key": key.encode(), "value": action.encode(), "headers": headers}


async def ours_per_second(producer: Any, pid: int, target: Sink, records: list[dict[str, Any]]) -> float:
    """Lay the actions down before a frozen dispatcher, let it go: deliveries per second at the sink."""
    await target.arrivals()
    with frozen(pid):
        await lay(producer, records)
    seen = await target.wait_for(len(records))
    return (int(seen["count"]) - 1) / (float(seen["last"]) - float(seen["first"]))


async def main(seconds: float) -> None:
    count = int(DELIVERIES_PER_SECOND * seconds / (2 * (ROUNDS + 1)))
    async with rig({"registry": {}, "dispatcher": {}}) as bench, sink() as target:
        producer = AIOKafkaProducer(bootstrap_servers=bench.stack.bootstrap_servers, max_batch_size=256 * 1024)
        await producer.start()
        dispatcher = bench.stack.service("dispatcher").pid
        ours, raw, cpu = [], [], []
        number = 0
        try:
            for _ in range(ROUNDS + 1):
                records = [webhook(bench, f"{target.url}/hook", number + each) for each in range(count)]
                number += count
                meter = CpuMeter.start({"dispatcher": dispatcher})
                ours.append(await ours_per_second(producer, dispatcher, target, records))
                cpu.append(meter.ms_per_event(count)["dispatcher"])
                async with process("bench.raw", "post", f"{target.url}/hook", str(count), "1100") as (_, rate):
                    raw.append(float(rate))
        finally:
            await producer.stop()
    report_ratio("dispatch", ours[1:], raw[1:], "requests/s", deliveries_a_round=count, cpu_ms=median(cpu[1:]))


if __name__ == "__main__":
    asyncio.run(main(options(seconds=48.0).seconds))
