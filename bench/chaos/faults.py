"""What is done to the stack: crashes and freezes at named points inside, and outages from outside."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable

import psutil
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
REFUSE_SECONDS = 10
GRACE_SECONDS = 2.0
"""Who has not ended by then, since it is frozen or has much in hand, is killed."""
ENGINES, DISPATCHERS = ("flow-engine", "flow-engine-2"), ("dispatcher", "dispatcher-2")
FAULTY = (*ENGINES, *DISPATCHERS)

ZOMBIES = frozenset({"fence", "lease"})
"""Protections that are for who stops with work in hand, and goes on with it when the other replica has done it; the
others are for who dies with it."""
CONTROLS = {
    "outbox": (ENGINES, "flow-engine", "after_commit_of_actions"),
    "dedupe": (FAULTY, "flow-engine", "after_publish_of_actions"),
    "fence": (ENGINES, "flow-engine", "before_txn_of_actions"),
    "lease": (DISPATCHERS, "dispatcher", "before_send"),
}
"""Protection -> who lacks it, and who stops for it at which point. A batch of results of deliveries would do no harm; hence
the points of those with actions."""
ENGINE = "before_txn,before_txn_of_actions,in_txn,after_commit,mid_publish,after_publish"
DISPATCHER = f"{ENGINE},before_send,before_record"


def inside(seed: int, instance: str, broken: str | None) -> str:
    """The failpoints of one process: at saturation each passes a point some tens of times a second.

    A control is about its own moment and nothing else.
    """
    if broken:
        _, who, point = CONTROLS[broken]
        return f"stop=1@{point}" if instance == who else ""
    points = DISPATCHER if instance.startswith("dispatcher") else ENGINE
    kill, freeze = (0.0015, 0.0004) if instance.startswith("dispatcher") else (0.004, 0.001)
    return f"seed={seed};kill={kill}@{points};freeze={freeze}:{FREEZE_SECONDS}s@{points};commit_unknown=0.002"


async def arm(stack: Stack, seed: int, broken: str | None, *, missing: bool = True) -> None:
    """Start processes anew, with their failpoints and without the protection that is broken; the others go on.

    Not `missing`: the protection is there, in the moment that it is for."""
    instances = CONTROLS[broken][0] if broken else FAULTY
    for number, instance in enumerate(instances):
        env = stack.service(instance).env
        env["SWITCHHOOK_FAILPOINTS"] = inside(seed + number, instance, broken)
        env["SWITCHHOOK_BROKEN"] = (broken or "") if missing else ""
        env["SWITCHHOOK_CHAOS"] = "1"
    await restart(stack, instances)
    await stack.wait_ready(*instances)


def armed(stack: Stack) -> list[str]:
    """Who has failpoints, or lacks a protection."""
    return [instance for instance in FAULTY if "SWITCHHOOK_CHAOS" in stack.service(instance).env]


async def spare(stack: Stack) -> None:
    """Nothing crashes any more. A protection stays away until the judgement: what it is for may still be on its way."""
    struck = [instance for instance in armed(stack) if stack.service(instance).env["SWITCHHOOK_FAILPOINTS"]]
    for instance in struck:
        stack.service(instance).env["SWITCHHOOK_FAILPOINTS"] = ""
    await restart(stack, struck)


async def disarm(stack: Stack) -> None:
    """Start them anew, without failpoints and with every protection; Kafka takes all writes again."""
    instances = armed(stack)
    for instance in instances:
        for name in ("SWITCHHOOK_FAILPOINTS", "SWITCHHOOK_BROKEN", "SWITCHHOOK_CHAOS"):
            stack.service(instance).env.pop(name, None)
    await asyncio.gather(restart(stack, instances), take_writes(stack, actions.TOPIC.name))


def stopped(stack: Stack, broken: str) -> bool:
    """Whether the one that is to stop with work in hand has done so."""
    service = stack.service(CONTROLS[broken][1])
    return service.running and psutil.Process(service.pid).status() == psutil.STATUS_STOPPED


def wake(stack: Stack, broken: str) -> None:
    """Let the one that stopped go on, with the work that it has in hand."""
    psutil.Process(stack.service(CONTROLS[broken][1]).pid).resume()


async def finish(stack: Stack, broken: str) -> None:
    """Let the one that stopped die; the supervisor starts it again, without failpoints."""
    service = stack.service(CONTROLS[broken][1])
    service.env["SWITCHHOOK_FAILPOINTS"] = ""
    await crash(service.pid)


async def restart(stack: Stack, instances: Iterable[str]) -> None:
    """Stop them, and start them again; who wants them ready waits for that.

    Who leaves its groups in good order is not waited for there until its session is over, as one that was killed is.
    """
    services = [stack.service(instance) for instance in instances]
    await asyncio.gather(*(service.stop(grace_seconds=GRACE_SECONDS) for service in services))
    await asyncio.gather(*(service.launch() for service in services))


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
