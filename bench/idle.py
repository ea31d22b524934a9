"""What a stack takes that has nothing to do: per cent of a core by process, and who asks whom how often meanwhile.

And how long an event takes that comes alone then, from the trigger's POST to the signed webhook, one every second and a
half: whoever waits for records has long been waiting when it comes.
"""

from __future__ import annotations

import asyncio

from bench.e2e import latencies_at, our_chain
from bench.measure import CpuMeter, quantile, report
from bench.rig import Rig, options, rig, sink
from bench.server_counts import per_event, stack_counts

SETTLED_SECONDS = 20.0
"""Java compiles what the start took, and groups that were joined first are divided anew."""
REQUIRED_PERCENT = 6.0
LONE_RATE, REQUIRED_LONE_MS = 0.67, 12.0


async def at_rest(bench: Rig, seconds: float) -> tuple[dict[str, float], dict[str, float]]:
    """Per cent of a core by process, and requests and transactions a second."""
    before, meter = await stack_counts(bench.stack), CpuMeter.start(bench.pids())
    await asyncio.sleep(seconds)
    percent = {name: round(ms / 10, 2) for name, ms in meter.ms_per_event(1).items()}
    return {name: round(each / seconds, 2) for name, each in percent.items()}, per_event(
        before, await stack_counts(bench.stack), int(seconds)
    )


async def main(seconds: float, settled: float) -> None:
    async with rig() as bench, sink() as target:
        chain = await our_chain(bench, target)
        lone = (await latencies_at(LONE_RATE, chain, target, seconds))[1:]
        await asyncio.sleep(settled)
        by_process, asked = await at_rest(bench, seconds)
    for name, each in sorted(asked.items()):
        print(f"{name} {each}/s", flush=True)
    report(
        "idle",
        percent=round(sum(by_process.values()), 2),
        required=REQUIRED_PERCENT,
        lone_p50_ms=quantile(lone, 0.5),
        lone_required_ms=REQUIRED_LONE_MS,
        by_process=by_process,
        asked_per_s=asked,
    )


if __name__ == "__main__":
    chosen = options(seconds=30.0, settled=SETTLED_SECONDS)
    asyncio.run(main(chosen.seconds, chosen.settled))
