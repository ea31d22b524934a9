"""Three brokers and two replicas of each service, of which one at a time is killed, or stopped in good order and started again."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping

import psutil

from bench.chaos import faults
from bench.chaos.readiness import nothing, until
from bench.chaos.rounds import GREEN_SECONDS, Round
from devstack.server import Server
from devstack.stack import TOPIC_PREFIX, Stack
from operations.services import MODULES

SERVICES: Mapping[str, Mapping[str, str]] = {name: {} for service in MODULES for name in (service, f"{service}-2")}
BROKERS = 3
UPGRADED = (
    "dispatcher",
    "dispatcher-2",
    "ingress",
    "ingress-2",
    "flow-engine",
    "flow-engine-2",
    "registry",
    "registry-2",
)
"""In the order of an upgrade (docs/how-to/operate.md)."""
SETTINGS = {TOPIC_PREFIX: ""}
"""Sessions and leases are as long as they are by default."""
AWAY_SECONDS = 40.0
"""How long one that was killed is away: its session is over by then, and others have what it had."""
GRACE_SECONDS = 20.0
LOOK_SECONDS = 0.2


async def brokers_killed(round: Round) -> None:
    """Each broker in turn, so that each that leads or controls something is among them; the next once all have everything again."""
    async with under_load(round):
        for broker in round.run.stack.brokers:
            await killed(round, broker)
            await until_in_sync(round)


async def replicas_killed(round: Round) -> None:
    """One replica of each service."""
    async with under_load(round):
        for name in UPGRADED[::2]:
            await killed(round, round.run.stack.service(name))
            await until_green(round)


async def restarted(round: Round) -> None:
    """Everything, as at an upgrade: the replicas of the services, the brokers, and PostgreSQL."""
    stack = round.run.stack
    async with under_load(round):
        for name in UPGRADED:
            await restart(round, stack.service(name))
            await until_green(round)
        for broker in stack.brokers:
            await restart(round, broker)
            await until_in_sync(round)
        await restart(round, stack.postgres)
        await until_green(round)


@contextlib.asynccontextmanager
async def under_load(round: Round) -> AsyncIterator[None]:
    """Tell what memory and which load there was. Webhooks have to be told of all that is said from now on."""
    crowd = round.run.crowd
    round.did(memory(round.run.stack))
    round.told_from = began = time.monotonic()
    before = sum(crowd.accepted.values())
    yield
    seconds, events = time.monotonic() - began, sum(crowd.accepted.values()) - before
    refused = ", ".join(f"{count} by {why}" for why, count in crowd.refusals.items() if count) or "none"
    round.did(
        f"{events} events in {seconds:.0f} s, {events / seconds:.0f}/s; requests refused and sent again: {refused}"
    )


async def killed(round: Round, server: Server) -> None:
    """Kill it, and start it again once others have what it had."""
    round.begin(f"{server.name} killed")
    await server.kill()
    await asyncio.sleep(AWAY_SECONDS)
    await server.start()
    round.did(f"{server.name} was killed, and is back after {AWAY_SECONDS:.0f} s")


async def restart(round: Round, server: Server) -> None:
    """Stop it in good order, and start it again."""
    round.begin(f"{server.name} restarted")
    began, before = time.monotonic(), round.run.far_end.repeats
    await server.stop(grace_seconds=GRACE_SECONDS)
    stopped = time.monotonic()
    if stopped - began >= GRACE_SECONDS:
        round.wrong("stuck", f"{server.name} did not end within {GRACE_SECONDS:.0f} s")
    await server.start()
    round.did(f"{server.name} ended in {stopped - began:.1f} s and was ready {time.monotonic() - stopped:.1f} s later")
    if more := round.run.far_end.repeats - before:
        round.did(f"  meanwhile {more} came a second time")


async def until_in_sync(round: Round) -> None:
    """Wait until each broker has each record of its partitions."""
    deadline, behind = time.monotonic() + GREEN_SECONDS, 1
    async with faults.admin(round.run.stack) as client:
        while behind and time.monotonic() < deadline:
            await asyncio.sleep(LOOK_SECONDS)
            topics = await client.describe_topics()
            partitions = [each for topic in topics for each in topic["partitions"]]
            behind = sum(len(each["isr"]) < len(each["replicas"]) for each in partitions)
    if behind:
        round.wrong("stuck", f"{behind} partitions lack a replica {GREEN_SECONDS:.0f} s after the broker came back")


async def until_green(round: Round) -> None:
    """Wait until all are ready, so that never more than one is away; that they are in the end the round asks."""
    await until(round.run.stack, nothing, GREEN_SECONDS)


def memory(stack: Stack) -> str:
    """What the processes take, MiB, pages that they share counted once (PSS, on Linux)."""
    kinds: dict[str, list[Server]] = {"brokers": list(stack.brokers), "PostgreSQL": [stack.postgres]}
    for service in stack.services.values():
        kinds.setdefault(service.service, []).append(service)
    taken = {kind: sum(mebibytes(server.pid) for server in servers) for kind, servers in kinds.items()}
    parts = ", ".join(f"{len(kinds[kind])} {kind} {mb:.0f}" for kind, mb in taken.items())
    return f"memory in MiB: {sum(taken.values()):.0f}, of which {parts}"


def mebibytes(pid: int) -> float:
    """Of a process and its children."""
    root = psutil.Process(pid)
    total = 0
    for process in (root, *root.children(recursive=True)):
        try:
            full = process.memory_full_info()
        except psutil.NoSuchProcess:
            continue
        total += getattr(full, "pss", full.rss)
    return total / 2**20
