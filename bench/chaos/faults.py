"""What is done to the stack: crashes and freezes at named points inside, and outages from outside."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import AsyncIterator, Callable, Coroutine

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from contracts import actions
from devstack.stack import Stack

SESSION_SECONDS = LEASE_SECONDS = 6
SETTINGS = {
    "SWITCHHOOK_SESSION_TIMEOUT_SECONDS": f"{SESSION_SECONDS}",
    "SWITCHHOOK_LEASE_SECONDS": f"{LEASE_SECONDS}",
    "SWITCHHOOK_TOPIC_PREFIX": "",
}
"""Of every process under fire: takeovers come in seconds, and topics are named as contracts does."""
FREEZE_SECONDS = 9
ZOMBIE_SECONDS = 16
"""Long enough for the other replica to have taken over and gone on: time-out, heartbeat, rebalance. In a control of 15 s
the one that wakes also finds that all is done: while the other one works, it may undo the harm with the batch in hand."""
REFUSE_SECONDS = 10
FAULTY = ("flow-engine", "flow-engine-2", "dispatcher", "dispatcher-2")

ZOMBIES = {"fence": ("flow-engine", 0.5, "before_txn"), "lease": ("dispatcher", 0.01, "before_send")}
"""Protection -> who freezes, and how likely each time it passes which point."""
ZOMBIE_CALM = {"fence": "calm=4s;", "lease": ""}
"""At first all conversations are new, and to make one again does no harm; nor does a batch that was read after waking."""
ENGINE = "before_txn,in_txn,after_commit,mid_publish,after_publish"
DISPATCHER = f"{ENGINE},before_send,before_record"


def inside(seed: int, instance: str, broken: str | None) -> str:
    """The failpoints of one process: at saturation each passes a point some tens of times a second.

    A control of a zombie (fence, lease) is about that and nothing else: one replica freezes, the other takes over.
    """
    if broken in ZOMBIES:
        who, chance, point = ZOMBIES[broken]
        return f"{ZOMBIE_CALM[broken]}seed={seed};freeze={chance}:{ZOMBIE_SECONDS}s@{point}" if instance == who else ""
    points = DISPATCHER if instance.startswith("dispatcher") else ENGINE
    kill, freeze = (0.0015, 0.0004) if instance.startswith("dispatcher") else (0.004, 0.001)
    return f"seed={seed};kill={kill}@{points};freeze={freeze}:{FREEZE_SECONDS}s@{points};commit_unknown=0.002"


async def arm(stack: Stack, seed: int, broken: str | None) -> None:
    """Start the processes anew, with their failpoints and without the protection that is broken."""
    for number, instance in enumerate(FAULTY):
        env = stack.service(instance).env
        env["SWITCHHOOK_FAILPOINTS"] = inside(seed + number, instance, broken)
        env["SWITCHHOOK_BROKEN"] = broken or ""
        env["SWITCHHOOK_CHAOS"] = "1"
    await restart(stack)


def armed(stack: Stack) -> bool:
    """Whether anybody has failpoints."""
    return any("SWITCHHOOK_FAILPOINTS" in stack.service(instance).env for instance in FAULTY)


async def disarm(stack: Stack) -> None:
    """Start the processes anew, without failpoints and with every protection; Kafka takes all writes again."""
    for instance in FAULTY:
        for name in ("SWITCHHOOK_FAILPOINTS", "SWITCHHOOK_BROKEN", "SWITCHHOOK_CHAOS"):
            stack.service(instance).env.pop(name, None)
    await asyncio.gather(restart(stack), take_writes(stack, actions.TOPIC.name))


async def zombies_wake(broken: str | None) -> None:
    """In a control of a zombie: let the frozen one wake and do its harm before everything begins anew."""
    if broken in ZOMBIES:
        await asyncio.sleep(ZOMBIE_SECONDS + 2)


async def restart(stack: Stack) -> None:
    """Kill those with failpoints, and start them again."""
    await asyncio.gather(*(stack.service(instance).kill() for instance in FAULTY))
    await asyncio.gather(*(stack.service(instance).start() for instance in FAULTY))


async def from_outside(stack: Stack, seed: int, seconds: float, report: Callable[[str], None]) -> None:
    """A broker crash, a topic that refuses for 10 s, a crash of ingress and one of PostgreSQL, at times that the seed decides."""
    seeded = random.Random(seed)
    blows: list[Callable[[], Coroutine[None, None, None]]] = [
        lambda: crash(stack.kafka.pid),
        lambda: refuse(stack, actions.TOPIC.name),
        lambda: crash(stack.service("ingress").pid),
        lambda: crash(stack.postgres.pid),
    ]
    seeded.shuffle(blows)
    pause = seconds / (len(blows) + 1)
    for blow, name in zip(blows, range(1, len(blows) + 1), strict=True):
        await asyncio.sleep(pause * seeded.uniform(0.5, 1))
        report(f"blow {name} of {len(blows)}")
        await blow()


async def crash(pid: int) -> None:
    """kill -9; the supervisor starts it again."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


async def refuse(stack: Stack, topic: str) -> None:
    """The topic takes no writes for 10 s: it wants more replicas in sync than there are."""
    async with admin(stack) as client:
        await client.alter_configs([_in_sync(topic, 2)])
        await asyncio.sleep(REFUSE_SECONDS)
        await client.alter_configs([_in_sync(topic, 1)])


async def take_writes(stack: Stack, topic: str) -> None:
    """A run that was stopped in the middle may have left the topic refusing."""
    async with admin(stack) as client:
        await client.alter_configs([_in_sync(topic, 1)])


def _in_sync(topic: str, replicas: int) -> ConfigResource:
    return ConfigResource(ConfigResourceType.TOPIC, topic, configs={"min.insync.replicas": str(replicas)})


@contextlib.asynccontextmanager
async def admin(stack: Stack) -> AsyncIterator[AIOKafkaAdminClient]:
    await stack.kafka.wait_ready()  # An earlier blow may have been the broker's.
    client = AIOKafkaAdminClient(bootstrap_servers=stack.bootstrap_servers)
    await client.start()
    try:
        yield client
    finally:
        await client.close()
