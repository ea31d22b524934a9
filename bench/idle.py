"""What a stack takes that has nothing to do: per cent of a core by process, and who asks whom how often meanwhile."""

from __future__ import annotations

import asyncio
from collections import Counter

from bench.flows import webhook_flow
from bench.measure import CpuMeter, report
from bench.rig import Rig, options, rig
from bench.server_counts import Counts, per_event, postgres_counts, service_counts

SETTLED_SECONDS = 20.0
"""Java compiles what the start took, and groups that were joined first are divided anew."""
REQUIRED_PERCENT = 6.0


async def counts(bench: Rig) -> Counts:
    """Requests to Kafka and transactions so far."""
    asked = await service_counts(bench.stack), await postgres_counts(bench.stack, "switchhook")
    return sum(asked, Counter())


async def at_rest(bench: Rig, seconds: float) -> tuple[dict[str, float], dict[str, float]]:
    """Per cent of a core by process, and requests and transactions a second."""
    before, meter = await counts(bench), CpuMeter.start(bench.pids())
    await asyncio.sleep(seconds)
    percent = {name: round(ms / 10, 2) for name, ms in meter.ms_per_event(1).items()}
    return {name: round(each / seconds, 2) for name, each in percent.items()}, per_event(
        before, await counts(bench), int(seconds)
    )


async def main(seconds: float, settled: float) -> None:
    async with rig() as bench:
        await bench.trigger(webhook_flow("http://127.0.0.1:9/"))
        await asyncio.sleep(settled)
        by_process, asked = await at_rest(bench, seconds)
    for name, each in sorted(asked.items()):
        print(f"{name} {each}/s", flush=True)
    total = round(sum(by_process.values()), 2)
    report("idle", percent=total, required=REQUIRED_PERCENT, by_process=by_process, asked_per_s=asked)


if __name__ == "__main__":
    chosen = options(seconds=30.0, settled=SETTLED_SECONDS)
    asyncio.run(main(chosen.seconds, chosen.settled))
