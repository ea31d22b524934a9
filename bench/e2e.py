"""Trigger POST, flow, signed webhook at the sink; beside the same hops with the same durability and no logic.

Once at 200 a second, for latency, and once as fast as it goes, for rate and CPU; ours and raw in turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from bench.engine import lay, message
from bench.flows import webhook_flow
from bench.load import Load
from bench.measure import CpuMeter, median, quantile, report, resident_mb
from bench.rig import Rig, Sink, options, process, rig, scratch_database, sink
from devstack.ports import free_port

ROUNDS = 3
LATENCY_RATE = 200
PEOPLE = 1_000
PAD = "x" * 900


@dataclass(slots=True)
class Chain:
    """One of the two chains under test: where to post, and the processes whose CPU counts."""

    name: str
    url: str
    headers: dict[str, str]
    pids: dict[str, int]
    rates: list[float] = field(default_factory=list)
    cpu: list[dict[str, float]] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)


def body(number: int) -> bytes:
    return b'{"peer_id":"p%d","variables":{"pad":"%b"}}' % (number % PEOPLE, PAD.encode())


def event_id(answer: bytes) -> str:
    return str(orjson.loads(answer)["event_id"])


async def introduce_people(bench: Rig) -> None:
    """A bot may only write to people who have written to it, so each of them says hello first."""
    producer = AIOKafkaProducer(bootstrap_servers=bench.stack.bootstrap_servers)
    await producer.start()
    try:
        hello = [message(bench, bench.channel, f"p{each}", "hello", "webchat") for each in range(PEOPLE)]
        await lay(producer, hello)
    finally:
        await producer.stop()


async def flat_out(chain: Chain, target: Sink, seconds: float) -> None:
    """As fast as it goes: events per second from the first post to the last arrival."""
    load, meter, begun = Load(chain.url, chain.headers, body), CpuMeter.start(chain.pids), time.monotonic()
    try:
        outcome = await load.as_fast_as_it_goes(seconds)
        seen = await target.wait_for(outcome.done)
    finally:
        await load.close()
    chain.rates.append(outcome.done / (float(seen["last"]) - begun))
    chain.cpu.append(meter.ms_per_event(outcome.done))


async def latencies_at(rate: float, chain: Chain, target: Sink, seconds: float) -> list[float]:
    """Milliseconds from each post to its arrival, in the order of the answers."""
    load = Load(chain.url, chain.headers, body, event_id)
    try:
        outcome = await load.at_rate(rate, seconds)
        seen = await target.wait_for(outcome.done)
    finally:
        await load.close()
    arrived: Mapping[str, float] = seen["by_id"]
    return [(arrived[name] - sent) * 1000 for name, sent in outcome.sent_at.items()]


async def at_ease(chain: Chain, target: Sink, seconds: float) -> None:
    """At 200 a second."""
    chain.latencies += await latencies_at(LATENCY_RATE, chain, target, seconds)


@contextlib.asynccontextmanager
async def raw_chain(bench: Rig, target: Sink) -> AsyncIterator[Chain]:
    kafka, dsn, port = bench.stack.bootstrap_servers, await scratch_database(bench.stack), str(free_port())
    first, second = await bench.create_topic("raw.in"), await bench.create_topic("raw.out")
    async with (
        process("bench.raw", "ingress", port, kafka, first) as (ingress, _),
        process("bench.raw", "engine", kafka, dsn, first, second) as (engine, _),
        process("bench.raw", "dispatcher", kafka, dsn, second, f"{target.url}/hook") as (dispatcher, _),
    ):
        pids = {"ingress": ingress.pid, "engine": engine.pid, "dispatcher": dispatcher.pid}
        plain = {"content-type": "application/json"}
        yield Chain("raw", f"http://127.0.0.1:{port}/", plain, pids | bench.pids(services=False))


async def our_chain(bench: Rig, target: Sink) -> Chain:
    trigger, token = await bench.trigger(webhook_flow(f"{target.url}/hook"))
    await introduce_people(bench)
    url = f"{bench.stack.service('ingress').base_url}/v1/run/{trigger}"
    headers = {
        "content-type": "application/json",
        "authorization": f"Bearer {token}",
        "prefer": "respond-async",
    }
    return Chain("ours", url, headers, bench.pids())


def figures(ours: Chain, raw: Chain) -> dict[str, Any]:
    rate, bare = median(ours.rates[1:]), median(raw.rates[1:])
    totals = {chain.name: median(sum(each.values()) for each in chain.cpu[1:]) for chain in (ours, raw)}
    return {
        "ratio": round(rate / bare, 3),
        "p50_ms": quantile(ours.latencies, 0.5),
        "p99_ms": quantile(ours.latencies, 0.99),
        "rate_per_s": rate,
        "cpu_ms_per_event": totals["ours"],
        "raw_rate_per_s": bare,
        "raw_p50_ms": quantile(raw.latencies, 0.5),
        "raw_p99_ms": quantile(raw.latencies, 0.99),
        "raw_cpu_ms_per_event": totals["raw"],
        "cpu_ms_by_process": ours.cpu[-1],
        "resident_mb": {name: resident_mb(pid) for name, pid in ours.pids.items() if name not in ("kafka", "postgres")},
    }


async def main(seconds: float) -> None:
    each = seconds / (4 * (ROUNDS + 1))
    async with rig() as bench, sink() as target, raw_chain(bench, target) as raw:
        ours = await our_chain(bench, target)
        for _ in range(ROUNDS + 1):
            for chain in (ours, raw):
                await at_ease(chain, target, each)
        ours.latencies, raw.latencies = ([*chain.latencies[int(LATENCY_RATE * each) :]] for chain in (ours, raw))
        for _ in range(ROUNDS + 1):
            for chain in (ours, raw):
                await flat_out(chain, target, each)
        report("e2e", **figures(ours, raw))


if __name__ == "__main__":
    asyncio.run(main(options(seconds=64.0).seconds))
