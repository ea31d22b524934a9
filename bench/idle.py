"""What a stack takes that has nothing to do: per cent of a core by process, and who asks whom how often meanwhile.

And how long an event takes that comes alone then, from the trigger's POST to the signed webhook, one every second and a
half: whoever waits for records has long been waiting when it comes.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from bench.e2e import Chain, body, event_id, our_chain
from bench.load import Load
from bench.measure import CpuMeter, quantile, report
from bench.rig import Rig, Sink, options, rig, sink
from bench.server_counts import Counts, per_event, postgres_counts, service_counts

SETTLED_SECONDS = 20.0
"""Java compiles what the start took, and groups that were joined first are divided anew."""
REQUIRED_PERCENT = 6.0
LONE_RATE, REQUIRED_LONE_MS = 0.67, 12.0


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


async def alone(chain: Chain, target: Sink, seconds: float) -> list[float]:
    """Milliseconds from each lone post to its arrival."""
    load = Load(chain.url, chain.headers, body, event_id)
    try:
        outcome = await load.at_rate(LONE_RATE, seconds)
        seen = await target.wait_for(outcome.done)
    finally:
        await load.close()
    return [(seen["by_id"][name] - sent) * 1000 for name, sent in outcome.sent_at.items()][1:]


async def main(seconds: float, settled: float) -> None:
    async with rig() as bench, sink() as target:
        chain = await our_chain(bench, target)
        lone = await alone(chain, target, seconds)
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
