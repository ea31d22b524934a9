"""Resident memory of each service while 200,000 events go from trigger to webhook as fast as they can."""

from __future__ import annotations

import asyncio
import time

from bench.e2e import body, our_chain
from bench.load import Load
from bench.measure import report, resident_mb
from bench.rig import options, rig, sink

LIMIT_MB = 150
LOOKS = 10
"""How often memory is looked at on the way."""


async def main(seconds: float, events: int) -> None:
    async with rig() as bench, sink() as target:
        chain = await our_chain(bench, target)
        pids = {name: pid for name, pid in chain.pids.items() if name not in ("kafka", "postgres")}
        seen = {name: [resident_mb(pid)] for name, pid in pids.items()}
        load, done, until = Load(chain.url, chain.headers, body), 0, time.monotonic() + seconds
        try:
            while done < events and time.monotonic() < until:
                outcome = await load.as_many_as(min(events - done, events // LOOKS))
                await target.wait_for(outcome.done)
                done += outcome.done
                for name, pid in pids.items():
                    seen[name].append(resident_mb(pid))
        finally:
            await load.close()
    highest = {name: max(values) for name, values in seen.items()}
    report("memory", events=done, limit_mb=LIMIT_MB, highest_mb=highest, mb_on_the_way=seen)


if __name__ == "__main__":
    chosen = options(seconds=600.0, events=200_000)
    asyncio.run(main(chosen.seconds, chosen.events))
