"""What dev's gateway adds to an event, and how much it carries: the same chain with and without it, in turn.

The gateway is a process of its own here, on the loop that `dev` runs it on, so that the load's own work is not counted.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop

from bench.e2e import Chain, at_ease, flat_out, our_chain
from bench.measure import median, quantile, report
from bench.rig import options, process, rig, sink
from devstack.proxy import Proxy

ROUNDS = 4


async def front(base: str) -> None:
    """A gateway before one service, for ever; prints its address."""
    proxy = Proxy(lambda _: base)
    address = proxy.claim_port()
    await proxy.start()
    print(address, flush=True)
    await asyncio.Event().wait()


async def main(seconds: float) -> None:
    each = seconds / (4 * (ROUNDS + 1))
    async with rig() as bench, sink() as target:
        base = bench.stack.service("ingress").base_url
        async with process("bench.gateway", "--front", base) as (gateway, address):
            direct = await our_chain(bench, target)
            pids = direct.pids | {"gateway": gateway.pid}
            through = Chain("through", direct.url.replace(base, address), direct.headers, pids)
            for measure in (at_ease, flat_out):
                for number in range(ROUNDS + 1):
                    for chain in (direct, through):
                        await measure(chain, target, each)
                        if number == 0:  # The first round warms everything up.
                            chain.latencies.clear()
                            chain.rates.clear()
                            chain.cpu.clear()
                if measure is at_ease:
                    latencies = {chain.name: chain.latencies[:] for chain in (direct, through)}
    alone, beside = latencies["ours"], latencies["through"]
    report(
        "gateway",
        ratio=round(median(through.rates) / median(direct.rates), 3),
        added_p50_ms=round(quantile(beside, 0.5) - quantile(alone, 0.5), 2),
        rate_per_s=median(through.rates),
        direct_rate_per_s=median(direct.rates),
        p50_ms=quantile(beside, 0.5),
        p99_ms=quantile(beside, 0.99),
        direct_p50_ms=quantile(alone, 0.5),
        direct_p99_ms=quantile(alone, 0.99),
        gateway_cpu_ms=median(each["gateway"] for each in through.cpu),
        cpu_ms_by_process=through.cpu[-1],
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--front"]:
        uvloop.run(front(sys.argv[2]))
    else:
        asyncio.run(main(options(seconds=80.0).seconds))
