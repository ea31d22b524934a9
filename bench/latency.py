"""How long an event takes from the trigger's POST to the signed webhook, at rates from nearly idle to nearly full.

Ours and the raw chain of `bench e2e` in turn at each rate. Beside each latency stands where it comes from: CPU by process,
requests to Kafka by kind, and PostgreSQL's transactions and bytes of log, each per event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.drawing import curve
from bench.e2e import Chain, latencies_at, our_chain, raw_chain
from bench.measure import CpuMeter, median, medians, quantile, report
from bench.rig import Rig, Sink, options, rig, sink
from bench.server_counts import Counts, per_event, postgres_counts, stack_counts

RATES = (50, 100, 200, 400, 800)
ROUNDS = 2
IDLE_SECONDS = 10.0

Counting = Callable[[], Awaitable[Counts]]


@dataclass(slots=True)
class Point:
    """What one chain did at one rate."""

    latencies: list[float] = field(default_factory=list)
    cpu: list[dict[str, float]] = field(default_factory=list)
    requests: list[dict[str, float]] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        return {
            "p50_ms": quantile(self.latencies, 0.5),
            "p99_ms": quantile(self.latencies, 0.99),
            "cpu_ms": self.cpu_ms,
            "cpu_ms_by_process": medians(self.cpu),
            "per_event": medians(self.requests),
        }

    @property
    def cpu_ms(self) -> float:
        """Milliseconds of CPU an event, all processes of the chain together."""
        return median(sum(each.values()) for each in self.cpu)


async def at_rate(chain: Chain, target: Sink, counting: Counting, rate: int, seconds: float, point: Point) -> None:
    meter, before = CpuMeter.start(chain.pids), await counting()
    latencies = await latencies_at(rate, chain, target, seconds)
    point.cpu.append(meter.ms_per_event(len(latencies)))
    point.requests.append(per_event(before, await counting(), len(latencies)))
    point.latencies += latencies


async def idle(bench: Rig) -> dict[str, float]:
    """Per cent of a core that each process takes when nothing happens."""
    meter = CpuMeter.start(bench.pids())
    await asyncio.sleep(IDLE_SECONDS)
    return {name: round(ms / 10, 2) for name, ms in meter.ms_per_event(int(IDLE_SECONDS)).items()}


def verdict(points: Mapping[str, Mapping[int, Point]]) -> dict[str, float]:
    """The worst ratios of ours to raw, and what is promised beside them."""
    ratios: dict[str, list[float]] = {"p50": [], "p99": []}
    for rate in RATES:
        ours, raw = points["ours"][rate].figures(), points["raw"][rate].figures()
        for name, found in ratios.items():
            found.append(ours[f"{name}_ms"] / raw[f"{name}_ms"])
    return {
        "worst_p50_ratio": round(max(ratios["p50"]), 2),
        "worst_p99_ratio": round(max(ratios["p99"]), 2),
        "worst_p50_ms": max(point.figures()["p50_ms"] for point in points["ours"].values()),
        "cpu_ratio_200": round(points["ours"][200].cpu_ms / points["raw"][200].cpu_ms, 2),
    }


async def main(seconds: float, picture: str) -> None:
    each = seconds / (len(RATES) * 2 * ROUNDS)
    async with rig() as bench, sink() as target:
        ours = await our_chain(bench, target)
        resting = await idle(bench)
        async with raw_chain(bench, target) as raw:
            counting: dict[str, Counting] = {
                "ours": lambda: stack_counts(bench.stack),
                "raw": lambda: postgres_counts(bench.stack, "raw"),
            }
            for chain in (ours, raw):
                await at_rate(chain, target, counting[chain.name], 200, 3.0, Point())
            points = {chain.name: {rate: Point() for rate in RATES} for chain in (ours, raw)}
            for rate in RATES * ROUNDS:
                for chain in (ours, raw):
                    await at_rate(chain, target, counting[chain.name], rate, each, points[chain.name][rate])
    for rate in RATES:
        for name, by_rate in points.items():
            print(rate, name, by_rate[rate].figures(), flush=True)
    print("idle", resting, flush=True)
    if picture:
        curve(picture, {name: {r: p.figures() for r, p in by_rate.items()} for name, by_rate in points.items()})
    report("latency", **verdict(points), idle_percent=round(sum(resting.values()), 2))


if __name__ == "__main__":
    chosen = options(seconds=160.0, picture="")
    asyncio.run(main(chosen.seconds, chosen.picture))
