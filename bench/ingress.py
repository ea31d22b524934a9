"""Authenticated trigger POSTs of 1 KB, 64 in flight, beside bare ASGI with an acknowledged produce on the same server."""

from __future__ import annotations

import asyncio

from bench.flows import webhook_flow
from bench.load import Body, Load
from bench.measure import report_ratio
from bench.rig import options, process, rig
from devstack.ports import free_port

ROUNDS = 5
PAD = "x" * 900


def numbered(number: int) -> bytes:
    """A body of 1 KB, for one of 1,000 people."""
    return b'{"peer_id":"p%d","variables":{"pad":"%b"}}' % (number % 1000, PAD.encode())


async def rate(url: str, headers: dict[str, str], body: Body, seconds: float) -> float:
    load = Load(url, headers, body)
    try:
        outcome = await load.as_fast_as_it_goes(seconds)
    finally:
        await load.close()
    if outcome.failed:
        raise RuntimeError(f"{outcome.failed} posts to {url} failed")
    return outcome.per_second


async def main(seconds: float) -> None:
    async with rig({"registry": {}, "ingress": {}}) as bench:
        trigger, token = await bench.trigger(webhook_flow("http://127.0.0.1:9/"))
        port = str(free_port())
        topic = await bench.create_topic("raw.ingress")
        async with process("bench.raw", "ingress", port, bench.stack.bootstrap_servers, topic):
            ours_url = f"{bench.stack.service('ingress').base_url}/v1/run/{trigger}"
            raw_url = f"http://127.0.0.1:{port}/"
            plain = {"content-type": "application/json"}
            headers = plain | {"authorization": f"Bearer {token}", "prefer": "respond-async"}
            each = seconds / (2 * (ROUNDS + 1))
            ours, raw = [], []
            for _ in range(ROUNDS + 1):
                ours.append(await rate(ours_url, headers, numbered, each))
                raw.append(await rate(raw_url, plain, numbered, each))
    report_ratio("ingress", ours[1:], raw[1:], "requests/s")


if __name__ == "__main__":
    asyncio.run(main(options(seconds=36.0).seconds))
