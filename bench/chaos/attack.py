"""One run on a stack that stands: set up, count aloud under fire, let it settle, judge."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import asyncpg

from bench.chaos import faults
from bench.chaos.checker import Verdict, judge, judge_so_far
from bench.chaos.ear import Ear, ear
from bench.chaos.people import People, people
from bench.chaos.workload import Crowd, open_lines
from devstack.stack import Stack
from operations.api import Api

SERVICES: Mapping[str, Mapping[str, str]] = {
    name: {} for name in ("registry", "ingress", "flow-engine", "flow-engine-2", "dispatcher", "dispatcher-2")
}
BOTS, CHATS = 40, 120
CONTROL_BOTS, CONTROL_CHATS = 10, 60
"""Of a control: enough for each replica to have work in hand, and quickly made."""
SETTLE_SECONDS = 300
"""However much is left; a bot writes 30 messages a second at most."""
QUIET_SECONDS = 2.5 * faults.LEASE_SECONDS
"""Nothing new for this long after everything should have come: what is missing then is lost."""
LOOK_SECONDS = 0.2
STOP_SECONDS, SAY_SECONDS, STOP_LOOK_SECONDS = 60, 2, 0.05
"""How long one that is to stop is given work, how often, and how often it is looked at; it stops in the first that it gets."""
DEED_SECONDS = faults.LEASE_SECONDS + 2
"""Within this, a process that holds a stale lease or batch does with it what it does."""
_runs = itertools.count(1)


@dataclass(slots=True)
class Log:
    """Counts crashes as the supervisor reports them, and keeps what it was told."""

    crashes: int = 0
    lines: list[str] = field(default_factory=list)

    def __call__(self, line: str) -> None:
        self.crashes += "was killed by" in line or "ended with" in line
        self.lines.append(line)
        print(line, file=sys.stderr, flush=True)


class Run(NamedTuple):
    """What happened to whom, and where the answers came."""

    stack: Stack
    crowd: Crowd
    far_end: Ear
    seed: int
    broken: str | None
    log: Log
    people: People | None = None
    """Who works with people beside the load."""


async def attack(
    stack: Stack,
    seconds: float,
    seed: int,
    broken: str | None,
    log: Log,
    *,
    at_least: int = 0,
    missing: bool = True,
    with_people: bool = False,
) -> tuple[Verdict, Crowd]:
    """A whole run; a control is about a protection and its one moment, and ends at the first thing that is wrong. Bots and
    chats are its own, and in the end the stack is as it was before, or about to be ready again. The stack has SERVICES,
    and `log` hears of its crashes. `at_least`: Crowd.count_aloud; `seconds` and `seed` are the storm's. Not `missing`:
    in that moment the protection is there. `with_people`: contacts are imported, told, taken over and erased, too."""
    async with contextlib.AsyncExitStack() as there:
        far_end = await there.enter_async_context(ear())
        crowd = await there.enter_async_context(assembled(stack, far_end, *size(broken)))
        beside = await there.enter_async_context(people(stack, log)) if with_people else None
        run = Run(stack, crowd, far_end, seed, broken, log, beside)
        if broken:
            await introduce(run)
        await faults.arm(stack, seed, broken, missing=missing)
        try:
            verdict = await (first_wrong(run, seconds) if broken else to_the_end(run, seconds, at_least))
        finally:
            if faults.armed(stack):
                await faults.disarm(stack)
        log(f"deliveries: {await states(stack)}")
    return verdict, crowd


async def first_wrong(run: Run, seconds: float) -> Verdict:
    """The verdict on what was wrong first, or on the whole run when nothing was."""
    whole, look = asyncio.create_task(to_the_end(run, seconds)), asyncio.create_task(look_on(run))
    try:
        done, _ = await asyncio.wait({whole, look}, return_when=asyncio.FIRST_COMPLETED)
        return next(iter(done)).result()
    finally:
        for task in (whole, look):
            task.cancel()
        await asyncio.gather(whole, look, return_exceptions=True)


async def look_on(run: Run) -> Verdict:
    """Judge again and again, until something is wrong."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            verdict = await judged_now(run)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            continue  # PostgreSQL is among those that are killed.
        if not verdict.sound:
            return verdict


async def judged_now(run: Run) -> Verdict:
    """All of the judgement once everything has been answered, whose state was saved before; till then what is certain."""
    twice = await taken_twice(run.stack, run.crowd)
    if run.crowd.ended and run.crowd.all_answered(run.far_end.heard):
        return judge(run.crowd.accepted, run.far_end.heard, await counts(run.stack, run.crowd), twice)
    return judge_so_far(run.far_end.heard, twice)


async def to_the_end(run: Run, seconds: float, at_least: int = 0) -> Verdict:
    """Under fire for some seconds, then in peace until everything has come that will come."""
    if run.broken:
        await until_stopped(run, run.broken)
        await (behind_a_zombie if run.broken in faults.ZOMBIES else after_a_death)(run, run.broken)
        run.crowd.ended = True
        await faults.spare(run.stack)
    else:
        await under_fire(run, seconds, at_least)
    await run.stack.wait_ready()  # On a busy machine a start takes longer than QUIET_SECONDS.
    await settle(run)
    await until_nothing_is_sent(run)
    counted = await counts(run.stack, run.crowd)
    verdict = judge(run.crowd.accepted, run.far_end.heard, counted, await taken_twice(run.stack, run.crowd))
    if run.people is not None:
        await run.people.judged(verdict)
    return verdict


async def under_fire(run: Run, seconds: float, at_least: int) -> None:
    """All count aloud while everything crashes, and people are worked with; what of that has begun then comes to its end in peace."""
    over = asyncio.Event()
    async with asyncio.TaskGroup() as beside:
        if run.people is not None:
            beside.create_task(run.people.work_until(over))
        async with asyncio.TaskGroup() as both:
            both.create_task(run.crowd.count_aloud(seconds, at_least))
            both.create_task(faults.from_outside(run.stack, run.seed, seconds, run.log))
        run.crowd.ended = True
        over.set()
        await faults.disarm(run.stack)


async def until_nothing_is_sent(run: Run) -> None:
    """What a zombie or a stale lease would still send, it sends within a lease. With every protection in place nothing is
    sent once no delivery is open: all processes have been started anew."""
    deadline = time.monotonic() + DEED_SECONDS
    while time.monotonic() < deadline:
        if not run.broken and not await rows_of(run.stack, "dispatcher", OPEN, [str(chat) for chat in run.crowd.chats]):
            return
        await asyncio.sleep(LOOK_SECONDS)


async def introduce(run: Run) -> None:
    """Nobody stops with work of the run before, since that is done; and all conversations there are: to make one a second
    time is refused by its keys, and does no harm."""
    await run.crowd.say_more(1)
    await settle(run)


async def until_stopped(run: Run, broken: str) -> None:
    """Give work until one has stopped with some of it in hand."""
    began = time.monotonic()
    said = 0
    while not faults.stopped(run.stack, broken):
        passed = time.monotonic() - began
        if passed > STOP_SECONDS:
            raise RuntimeError(f"nobody was given work to stop with for {broken}: this run says nothing")
        if passed >= said * SAY_SECONDS:
            said += 1
            await run.crowd.say_more(1)
        await asyncio.sleep(STOP_LOOK_SECONDS)


async def behind_a_zombie(run: Run, broken: str) -> None:
    """The other replica does what the one that stopped has in hand, and what was said since; then that one goes on."""
    await run.crowd.say_more(2)  # In each chat, so that what is in hand is old in all of them.
    run.crowd.ended = True
    await settle(run)  # Only then does the other replica have nothing in hand that would undo the harm.
    await until_cleared(run.stack)
    faults.wake(run.stack, broken)
    await asyncio.sleep(DEED_SECONDS)


async def until_cleared(stack: Stack) -> None:
    """Wait until the engines' outbox is empty: a batch that is there already is not saved a second time, by its key."""
    deadline = time.monotonic() + DEED_SECONDS
    while time.monotonic() < deadline:
        if not await rows_of(stack, "flow-engine", "SELECT 1 FROM outbox LIMIT 1"):
            return
        await asyncio.sleep(LOOK_SECONDS)


async def after_a_death(run: Run, broken: str) -> None:
    """The one that stopped dies with what it has in hand. All say one thing more: a gap before that is seen at once."""
    await faults.finish(run.stack, broken)
    await run.crowd.say_more(1)
    run.crowd.ended = True
    await settle(run)


def size(broken: str | None) -> tuple[int, int]:
    """How many bots and chats a run has."""
    return (CONTROL_BOTS, CONTROL_CHATS) if broken else (BOTS, CHATS)


@contextlib.asynccontextmanager
async def assembled(stack: Stack, far_end: Ear, bots: int, chats: int) -> AsyncIterator[Crowd]:
    """A project with its bots, and the people who will talk to them; their numbers are of no other run.

    In the end its channels go: what is left to be sent by them would be somebody's work in the next run.
    """
    first, token = next(_runs) * 10_000, stack.secrets.admin_token
    async with Api(stack.base_url, token) as operator:
        project = (await operator.post("/v1/projects", {"name": f"chaos {first}"}))["id"]
    async with Api(stack.base_url, token, project) as api:
        lines = await open_lines(api, far_end.url, range(first, first + bots))
        yield Crowd(lines, range(first, first + chats), project)
        await asyncio.gather(*(api.delete(f"/v1/channels/{line.channel}") for line in lines))


async def settle(run: Run) -> None:
    """Wait until everything came, or nothing new has come for long enough."""
    heard = run.far_end.heard
    deadline, quiet_since, before = time.monotonic() + SETTLE_SECONDS, time.monotonic(), -1
    while time.monotonic() < min(deadline, quiet_since + QUIET_SECONDS):
        if len(heard) != before:
            before, quiet_since = len(heard), time.monotonic()
        if run.crowd.all_answered(heard):
            break
        await asyncio.sleep(LOOK_SECONDS)


async def counts(stack: Stack, crowd: Crowd) -> dict[str, int]:
    """Chat -> count, from the people's profiles."""
    rows = await rows_of(stack, "flow-engine", COUNTS, [str(chat) for chat in crowd.chats])
    return {row["peer_id"]: int(row["count"] or 0) for row in rows}


async def taken_twice(stack: Stack, crowd: Crowd) -> dict[str, int]:
    """Chat -> how many of its messages became more than one delivery."""
    rows = await rows_of(stack, "dispatcher", TAKEN_TWICE, [str(chat) for chat in crowd.chats])
    return {row[0]: row[1] for row in rows}


async def states(stack: Stack) -> dict[str, int]:
    """How the dispatcher's rows ended, for who has to find out why something is missing."""
    rows = await rows_of(stack, "dispatcher", "SELECT state, count(*) FROM delivery GROUP BY state ORDER BY state")
    return {row[0]: row[1] for row in rows}


async def rows_of(stack: Stack, service: str, query: str, *arguments: object) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(stack.dsn(service))
    try:
        return await connection.fetch(query, *arguments)
    finally:
        await connection.close()


TAKEN_TWICE = """
SELECT split_part(conversation, '/', 3), count(*)::int - count(DISTINCT seq)::int FROM delivery
 WHERE kind = 'message' AND split_part(conversation, '/', 3) = ANY ($1) GROUP BY 1
HAVING count(*) > count(DISTINCT seq)
"""
OPEN = """
SELECT 1 FROM delivery WHERE kind = 'message' AND split_part(conversation, '/', 3) = ANY ($1)
   AND state IN ('blocked', 'pending', 'in_flight', 'retrying') LIMIT 1
"""
COUNTS = """
SELECT split_part(conversation.key, '/', 3) AS peer_id, contact.variables ->> 'count' AS count
FROM conversation JOIN contact ON contact.id = conversation.contact_id
WHERE split_part(conversation.key, '/', 3) = ANY ($1)
"""
