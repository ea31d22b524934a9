"""The faults that have a name: what is done to the stack, what readiness has to say meanwhile, how it is mended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from bench.chaos import faults
from bench.chaos.bad_records import Raw, RawName, produce_raw
from bench.chaos.operating import accept_losses, switchhook
from bench.chaos.readiness import names, not_alive, nothing, said
from bench.chaos.rounds import GREEN_SECONDS, Round
from bench.chaos.small_disks import Disks, fill, free
from contracts import actions, events, inbound
from contracts.topic import Topic
from contracts.topics import TOPICS

FULL_SECONDS = 20.0
"""How long a disk is full."""
FROZEN_SAID_BY = ("registry", "flow-engine", "flow-engine-2", "dispatcher", "dispatcher-2")
LOOK_SECONDS = 0.5
LOSES_MESSAGES = frozenset({inbound.TOPIC.name, actions.TOPIC.name})
"""Topics with which words of people, or answers to them, are gone; of `events` webhooks are. What the others carry is kept
elsewhere, or nobody waits for it."""


async def postgres_away(round: Round, seconds: float) -> None:
    """PostgreSQL is killed, and started again that much later."""
    stack = round.run.stack
    await stack.postgres.kill()
    began = time.monotonic()
    await round.red(names("database"), "PostgreSQL is away")
    await asyncio.sleep(began + seconds - time.monotonic())
    await stack.postgres.start()


async def postgres_frozen(round: Round, seconds: float) -> None:
    """PostgreSQL takes connections and answers nothing, as a machine whose storage hangs; who needs it says so, and stays alive."""
    stack = round.run.stack
    server = psutil.Process(stack.postgres.pid)
    processes = [server, *server.children(recursive=True)]
    began = time.monotonic()
    try:
        for process in processes:
            process.suspend()
        for service in FROZEN_SAID_BY:
            await round.red(names("PostgreSQL", of=service), f"PostgreSQL is frozen, of which {service} knows")
        await asyncio.sleep(began + seconds - time.monotonic())
        for dead in await not_alive(stack):
            round.wrong("stuck", f"{dead} is not alive while PostgreSQL is frozen")
    finally:
        for process in reversed(processes):
            process.resume()


async def engine_away(round: Round, seconds: float) -> None:
    """Both engines are stopped, and started again that much later; what people say meanwhile waits in Kafka."""
    engines = [round.run.stack.service(name) for name in faults.ENGINES]
    await asyncio.gather(*(engine.stop() for engine in engines))
    await round.red(names("does not answer"), "the engines are stopped")
    await asyncio.sleep(seconds)
    await asyncio.gather(*(engine.launch() for engine in engines))


async def made_anew(round: Round, topics: Sequence[str]) -> None:
    """Topics are deleted, made again and repaired, with the commands of docs/how-to/operate.md, while people speak."""
    stack = round.run.stack
    async with faults.admin(stack) as client:
        await client.delete_topics([stack.cluster.named(topic) for topic in topics])
    await round.red(names(topics[0]), f"{topics[0]} does not exist")
    for line in (await switchhook(stack, "topics", "create")).splitlines():
        round.did(line)
    if not LOSES_MESSAGES.isdisjoint(topics):
        round.lost_until = time.monotonic()
    if events.TOPIC.name in topics:
        round.told_from = time.monotonic()
    await repaired(round)


async def repaired(round: Round) -> None:
    """Run the commands that doctor names, until there is nothing more to repair."""
    stack, deadline, commands = round.run.stack, time.monotonic() + GREEN_SECONDS, 0
    while time.monotonic() < deadline:
        answers = await accept_losses(stack)
        commands += len(answers)
        if answers:
            round.did(f"{len(answers)} partitions repaired, such as: {answers[0]}")
        elif nothing(await said(stack)):
            break
        await asyncio.sleep(LOOK_SECONDS)
    round.did(f"{commands} times accept-loss")


def poisonous(topic: Topic) -> list[Raw]:
    """Records that nobody can read, or should. Kafka itself refuses one without a key where it keeps the last of each."""
    nameless: list[Raw] = [] if "compact" in topic.config.get("cleanup.policy", "") else [(None, None, [])]
    return [
        *nameless,
        (b"k", b"{}", [(RawName(b"\xff" * 1_500_000), b"1")]),
        (b"\xff\x00", b"\x00\xff" * 1000, [(RawName(b"\xff"), b"\xff"), ("ce_id", None)]),
        (b"a/b/c", b"[" * 50_000, [("ce_type", b"inbound.message"), ("ce_id", b"\xff\xfe")]),
    ]


async def poison(round: Round) -> None:
    """Into each partition of each topic."""
    stack, count = round.run.stack, 0
    for topic in TOPICS:
        for partition in range(topic.partitions):
            records, name = poisonous(topic), stack.cluster.named(topic.name)
            await produce_raw(stack.bootstrap_servers, name, records, partition=partition)
            count += len(records)
    round.did(f"{count} records in {len(TOPICS)} topics")
    await drained(round)
    listed = await switchhook(stack, "dlq", "list", "--url", stack.service("registry").base_url)
    round.did(f"dlq list: {len(listed.splitlines())} lines")


async def drained(round: Round) -> None:
    """Wait until people are answered again: each one's next word comes behind the poison of its partition."""
    crowd = round.run.crowd
    before = dict(crowd.accepted)
    deadline = time.monotonic() + GREEN_SECONDS
    while time.monotonic() < deadline:
        answered: dict[str, int] = {}
        for chat, text in list(round.run.far_end.heard):
            answered[chat] = max(answered.get(chat, 0), int(text.partition(":")[0]))
        if all(answered.get(chat, 0) > number for chat, number in before.items()):
            return
        await asyncio.sleep(LOOK_SECONDS)
    round.wrong("stuck", "after poison somebody is not answered")


async def disks_full(round: Round, which: Callable[[Disks], list[Path]], words: Sequence[str]) -> None:
    """Not a byte is free, for a while. `words`: what readiness has to say."""
    assert round.disks is not None, "the schedule gives it disks"
    full = which(round.disks)
    told = len(round.run.log.lines)
    try:
        for disk in full:
            fill(disk)
        round.did(f"no room on {', '.join(disk.name for disk in full)}")
        if words:
            await round.red(names(*words), "a disk is full")
        await asyncio.sleep(FULL_SECONDS)
    finally:
        for disk in full:
            free(disk)
    named = [line for line in round.run.log.lines[told:] if "disk is full" in line]
    if any(" ended with " in line or " was killed by " in line for line in round.run.log.lines[told:]) and not named:
        round.wrong("silent", "a server ended for its disk, and the stack does not name the disk")
