"""Events of 40 conversations for an ordered endpoint, beside the same for one that takes them in any order."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import AIOKafkaProducer

from bench.dispatch import ours_per_second
from bench.measure import CpuMeter, median, medians, report
from bench.rig import Rig, options, rig, sink
from bench.server_counts import per_event, postgres_counts
from contracts import cloudevents, events
from contracts.ids import conversation_key, derived_id, uuid7

ROUNDS = 5
CONVERSATIONS = 40
EVENTS_PER_SECOND = 800
"""How many events a round lays down for each second it may take."""
ORDERED, UNORDERED = "tag.added", "tag.removed"


def told(bench: Rig, type: str, number: int) -> dict[str, Any]:
    """An event as the engine would write it, its body 1 KB, of one of the conversations."""
    now, id = cloudevents.now_text(), str(uuid7())
    key = conversation_key(bench.bot, bench.channel, f"p{number % CONVERSATIONS}")
    data = {"event_id": id, "conversation_id": derived_id(key), "pad": "x" * 900}
    event = events.Event(type=type, timestamp=now, data=data)
    headers = cloudevents.headers(id=id, type=type, source="bench", time=now, project=bench.project)
    source = cloudevents.source_headers("bench", 0, number, 0)
    return {"topic": events.TOPIC.name, "key": key.encode(), "value": event.encode(), "headers": headers + source}


async def main(seconds: float) -> None:
    count = int(EVENTS_PER_SECOND * seconds / (2 * (ROUNDS + 1)))
    async with rig({"registry": {}, "dispatcher": {}}) as bench, sink() as target:
        for type in (ORDERED, UNORDERED):
            fields = {"url": f"{target.url}/{type}", "events": [type], "ordered": type == ORDERED}
            await bench.api.post("/v1/endpoints", fields)
        producer = AIOKafkaProducer(bootstrap_servers=bench.stack.bootstrap_servers, max_batch_size=256 * 1024)
        await producer.start()
        dispatcher = bench.stack.service("dispatcher").pid
        rates: dict[str, list[float]] = {ORDERED: [], UNORDERED: []}
        cpu: dict[str, list[dict[str, float]]] = {ORDERED: [], UNORDERED: []}
        asked: dict[str, list[dict[str, float]]] = {ORDERED: [], UNORDERED: []}
        number = 0
        try:
            for _ in range(ROUNDS + 1):
                for type in (UNORDERED, ORDERED):
                    records = [told(bench, type, number + each) for each in range(count)]
                    number += count
                    meter, before = CpuMeter.start(bench.pids()), await postgres_counts(bench.stack, "switchhook")
                    rates[type].append(await ours_per_second(producer, dispatcher, target, records))
                    cpu[type].append(meter.ms_per_event(count))
                    asked[type].append(per_event(before, await postgres_counts(bench.stack, "switchhook"), count))
        finally:
            await producer.stop()
    ordered, unordered = median(rates[ORDERED][1:]), median(rates[UNORDERED][1:])
    report(
        "ordered", ordered=ordered, unordered=unordered, ratio=round(ordered / unordered, 3), unit="requests/s",
        events_a_round=count, conversations=CONVERSATIONS, rounds=ROUNDS,
        **{
            f"{figure}_{name}": medians(rounds[type][1:])
            for figure, rounds in (("cpu_ms", cpu), ("asked", asked))
            for name, type in (("ordered", ORDERED), ("unordered", UNORDERED))
        },
    )  # fmt: skip


if __name__ == "__main__":
    asyncio.run(main(options(seconds=48.0).seconds))
