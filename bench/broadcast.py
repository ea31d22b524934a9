"""What a broadcast costs the same project's webhooks: their p99 from request to delivery, while it is paused and while it runs.

A shop posts to a trigger 200 times a second, and its webhooks arrive at a sink. The broadcast is for 100,000 other people of the same
bot, who are laid into the tables as the engine would have stored them. It is paused and resumed by turns; a figure is the
median of the rounds. `started_per_s` is what was started in the rounds in which it ran. Before these it runs for a while with nothing beside it: `cpu_ms_alone` is
what each process took then, a recipient. With `--whole 1` it then runs to its end beside the same webhooks.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from bench.e2e import body, event_id, introduce_people
from bench.flows import one_node, webhook_flow
from bench.growth import fill
from bench.load import Load
from bench.measure import CpuMeter, median, quantile, report
from bench.rig import Rig, Sink, options, rig, sink

ROUNDS = 5
FIRST = 100_000
"""The number of the first of those who are told; the shop's people have lower ones."""
JSON_TYPE = {"content-type": "application/json"}


async def webhooks(load: Load, target: Sink, per_second: int, seconds: float) -> float:
    """p99 from each post to its arrival, milliseconds."""
    outcome = await load.at_rate(per_second, seconds)
    if outcome.failed:
        raise RuntimeError(f"{outcome.failed} posts failed")
    arrived = (await target.wait_for(outcome.done))["by_id"]
    return quantile([(arrived[name] - sent) * 1000 for name, sent in outcome.sent_at.items()], 0.99)


async def broadcast_of(bench: Rig, rate: float) -> str:
    """One that is paused before it begins."""
    story = one_node("story", {"type": "say", "parts": [{"text": "{{ user.name }}, there is news."}]})
    flow = await bench.api.publish_flow(bench.bot, story)
    made = await bench.api.post("/v1/broadcasts", {"flow": flow["id"], "rate": rate})
    await bench.api.post(f"/v1/broadcasts/{made['id']}/pause", {})
    return str(made["id"])


async def started(bench: Rig, broadcast: str) -> int:
    shown: dict[str, Any] = await bench.api.get(f"/v1/broadcasts/{broadcast}")
    return int(shown["counts"]["started"])


async def cost(bench: Rig, broadcast: str, seconds: float) -> dict[str, float]:
    """Milliseconds of CPU a recipient, with nothing beside it. It is paused before and after."""
    meter = CpuMeter.start(bench.pids())
    await bench.api.post(f"/v1/broadcasts/{broadcast}/resume", {})
    await asyncio.sleep(seconds)
    await bench.api.post(f"/v1/broadcasts/{broadcast}/pause", {})
    return meter.ms_per_event(max(1, await started(bench, broadcast)))


async def to_the_end(bench: Rig, broadcast: str, load: Load, target: Sink, per_second: int) -> dict[str, float]:
    """Seconds that it takes from here on, and the median and the highest p99 of the webhooks, ten seconds at a time."""
    before, begun, p99 = await started(bench, broadcast), time.monotonic(), list[float]()
    await bench.api.post(f"/v1/broadcasts/{broadcast}/resume", {})
    while (await bench.api.get(f"/v1/broadcasts/{broadcast}"))["state"] == "running":
        p99.append(await webhooks(load, target, per_second, 10))
    took = time.monotonic() - begun
    count = await started(bench, broadcast) - before
    return {
        "seconds": round(took), "recipients": count, "per_s": round(count / took, 1), "p99_ms": median(p99), "worst_p99_ms": max(p99),
    }  # fmt: skip


async def main(seconds: float, people: int, load_per_s: int, rate: float, whole: int) -> None:
    each = seconds / (2 * ROUNDS)
    quiet, running, begun = [], [], []
    async with rig() as bench, sink() as target:
        await introduce_people(bench)
        trigger, token = await bench.trigger(webhook_flow(f"{target.url}/hook"))
        headers = JSON_TYPE | {"authorization": f"Bearer {token}", "prefer": "respond-async"}
        url = f"{bench.stack.service('ingress').base_url}/v1/run/{trigger}"
        async with contextlib.AsyncExitStack() as stack:
            load = Load(url, headers, body, event_id)
            stack.push_async_callback(load.close)
            await webhooks(load, target, load_per_s, 5)
            await fill(bench, bench.channel, FIRST, FIRST + people - 1)
            broadcast = await broadcast_of(bench, rate)
            cpu = await cost(bench, broadcast, each)
            await webhooks(load, target, load_per_s, 5)
            for _ in range(ROUNDS):
                quiet.append(await webhooks(load, target, load_per_s, each))
                before = await started(bench, broadcast)
                await bench.api.post(f"/v1/broadcasts/{broadcast}/resume", {})
                running.append(await webhooks(load, target, load_per_s, each))
                begun.append((await started(bench, broadcast) - before) / each)
                await bench.api.post(f"/v1/broadcasts/{broadcast}/pause", {})
            to_end = await to_the_end(bench, broadcast, load, target, load_per_s) if whole else None
        counts = (await bench.api.get(f"/v1/broadcasts/{broadcast}"))["counts"]
    report(
        "broadcast", ratio=round(median(running) / median(quiet), 3), p99_ms={"paused": median(quiet), "running": median(running)},
        started_per_s=median(begun), cpu_ms_alone=cpu, whole=to_end, people=people, recipients=counts["recipients"], webhooks_per_s=load_per_s, rounds=ROUNDS,
    )  # fmt: skip


if __name__ == "__main__":
    given = options(seconds=200.0, people=100_000, load=200, rate=100.0, whole=0)
    asyncio.run(main(given.seconds, given.people, given.load, given.rate, given.whole))
