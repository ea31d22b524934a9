"""One named fault: people count aloud while it is done and mended; then peace, and the judgement."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import quantiles
from typing import NamedTuple, TypeAlias

from bench.chaos.attack import LOOK_SECONDS, QUIET_SECONDS, Log, Run, assembled, counts, settle, taken_twice
from bench.chaos.checker import SentAgain, Verdict, judge
from bench.chaos.ear import Ear, ear
from bench.chaos.people import people
from bench.chaos.readiness import nothing, until
from bench.chaos.small_disks import Disks
from bench.chaos.witness import Witness
from devstack.stack import Stack
from operations.api import Api

BOTS, CHATS = 5, 30
WIDE_BOTS, WIDE_RATE, WIDE_PAUSE_SECONDS = 40, 100.0, 4.0
"""A person is answered once a second at most: whose answers had to wait catches up in his pauses."""
BEFORE_SECONDS = 3.0
"""People speak before it happens."""
RED_SECONDS, GREEN_SECONDS = 30.0, 120.0
"""Within this readiness has to tell of what is wrong, and has to be green once it is mended."""


Strike: TypeAlias = "Callable[[Round], Awaitable[None]]"
PAUSE_SECONDS = 1.0


class Fault(NamedTuple):
    """What one round is about. `pause`: of each person between two words; what has to wait for minutes is to be sent in
    minutes. `tells_messages`: whether webhooks are told of each. `wide`: on three brokers and two replicas of each service, with
    more people, and with contacts that are imported, told, taken over and erased meanwhile. `orderly`: nobody is killed, so that nothing may be sent twice."""

    strike: Strike
    pause: float = PAUSE_SECONDS
    needs_disks: bool = False
    tells_messages: bool = False
    wide: bool = False
    orderly: bool = False


@dataclass(slots=True)
class Round:
    """What a fault has in hand: the stack, the people, and where it writes what it did and what was wrong."""

    run: Run
    verdict: Verdict
    disks: Disks | None = None
    lost_until: float = 0.0
    """What was said before this moment (of time.monotonic) may be lost, as the docs say of a topic that was deleted."""
    again: SentAgain | None = None
    """What is sent a second time after a restore; None: nothing was restored."""
    told_from: float | None = None
    """What was said from this moment on has to be told to webhooks; None: nobody looks."""

    steps: list[tuple[str, float]] = field(default_factory=list)
    """What was done one after the other, and when it began."""

    def begin(self, step: str) -> None:
        """What somebody says from now on waits because of this."""
        self.steps.append((step, time.monotonic()))

    def did(self, what: str) -> None:
        """A line of the report."""
        self.run.log(f"  {what}")

    def wrong(self, kind: str, what: str) -> None:
        """Something is wrong: `silent` or `stuck`."""
        self.verdict.found(kind, 1, what)
        self.did(f"WRONG ({kind}): {what}")

    async def red(self, enough: Callable[[dict[str, str]], bool], what: str) -> None:
        """Readiness has to say it, by then."""
        began = time.monotonic()
        now = await until(self.run.stack, enough, RED_SECONDS)
        if now is None:
            self.wrong("silent", f"{what}, and readiness says nothing of it")
            return
        instance, text = next((each for each in now.items() if enough(dict([each]))), ("", ""))
        self.did(f"after {time.monotonic() - began:.1f} s {instance} says: {text[:200]}")

    async def green(self) -> None:
        """Everybody has to be ready again, by then, without a warning."""
        began = time.monotonic()
        if await until(self.run.stack, nothing, GREEN_SECONDS) is None:
            self.wrong("stuck", f"not ready {GREEN_SECONDS:.0f} s after everything was mended")
        else:
            self.did(f"all are ready, {time.monotonic() - began:.1f} s after it was mended")

    async def judged(self) -> Verdict:
        """What came of it, once everything has come that will."""
        run, losable = self.run, self.run.crowd.said_before(self.lost_until)
        arrivals, counted = run.far_end.heard, await counts(run.stack, run.crowd)
        made = judge(
            run.crowd.accepted, arrivals, counted, await taken_twice(run.stack, run.crowd), losable, self.again
        )
        for kind in ("silent", "stuck"):
            setattr(made, kind, getattr(made, kind) + getattr(self.verdict, kind))
        made.examples += self.verdict.examples
        untold, told = self.untold(), run.far_end.told
        made.found("lost", len(untold), f"no webhook told of {sorted(untold)[:5]}")
        strange = [about for about, ids in told.items() if len(ids) > 1]
        made.found("applied_twice", len(strange), f"told under several webhook-ids: {strange[:3]}")
        made.wire_duplicates += sum(ids.total() - len(ids) for ids in told.values())
        made.longest = self.told_waits()
        return made

    def told_waits(self) -> float:
        """Report how long answers took, from the first try to say something, in all and in each step; the longest, seconds."""
        waits = waited(self.run.crowd.tried, self.run.far_end)
        if len(waits) < 2:
            return 0.0
        percents, most = quantiles(waits.values(), n=100), max(waits.values())
        self.did(f"answers after {percents[49]:.2f} s (p50), {percents[98]:.1f} s (p99), {most:.1f} s (the longest)")
        for (step, begun), (_, ended) in pairwise([*self.steps, ("", math.inf)]):
            longest = max((wait for (_, tried), wait in waits.items() if begun <= tried < ended), default=0.0)
            self.did(f"  {step}: {longest:.1f} s at most")
        return round(most, 1)

    def untold(self) -> set[str]:
        """`person:number` of what had to be told and was not."""
        if self.told_from is None:
            return set()
        crowd, told = self.run.crowd, self.run.far_end.told
        early = crowd.said_before(self.told_from)
        later = (
            (chat, n) for chat, count in crowd.accepted.items() for n in range(1, count + 1) if n not in early[chat]
        )
        return {f"P{chat}:{n}" for chat, n in later if ("message.received", f"P{chat}:{n}") not in told}


async def endure(
    stack: Stack, fault: Fault, log: Log, disks: Disks | None = None, *, wide_rate: float = WIDE_RATE
) -> Verdict:
    """A whole round. In the end the stack is as it was before. `wide_rate`: events a second, where the fault is `wide`."""
    bots, chats = (WIDE_BOTS, int(wide_rate * fault.pause)) if fault.wide else (BOTS, CHATS)
    async with contextlib.AsyncExitStack() as there:
        far_end = await there.enter_async_context(ear())
        crowd = await there.enter_async_context(assembled(stack, far_end, bots, chats))
        beside = await there.enter_async_context(people(stack, log)) if fault.wide else None
        crowd.pause = fault.pause
        round = Round(Run(stack, crowd, far_end, 0, None, log, beside), Verdict(), disks)
        async with Api(stack.base_url, stack.secrets.admin_token, crowd.project) as api:
            witness = Witness(round.run)
            await witness.prepare(api, tells_messages=fault.tells_messages)
            await speak_while(round, fault.strike)
            if (failure := await witness.still_works(api)) is not None:
                round.wrong("stuck", failure)
        await settle(round.run)
        await until_told(round)
        verdict = await round.judged()
        if beside is not None:
            await beside.judged(verdict)
        if fault.orderly:
            verdict.found("needless", verdict.wire_duplicates, "sent more than once although nobody was killed")
        return verdict


async def speak_while(round: Round, strike: Strike) -> None:
    """People count from a while before the fault till everything is mended, and then once more; others are worked with meanwhile."""
    crowd, beside, over = round.run.crowd, round.run.people, asyncio.Event()
    async with asyncio.TaskGroup() as both:
        if beside is not None:
            both.create_task(beside.work_until(over))
        both.create_task(crowd.count_until(over))
        try:
            await asyncio.sleep(BEFORE_SECONDS)
            await strike(round)
            await round.green()
        finally:
            over.set()
    await crowd.say_more(1)
    crowd.ended = True


def waited(tried: Mapping[str, Sequence[float]], far_end: Ear) -> dict[tuple[str, float], float]:
    """(Chat, moment of the first try to say something) -> seconds to its first answer."""
    waits: dict[tuple[str, float], float] = {}
    for (chat, text), at in zip(far_end.heard, far_end.heard_at, strict=True):
        number = int(text.partition(":")[0])
        if number <= len(tried.get(chat, ())):
            moment = tried[chat][number - 1]
            waits.setdefault((chat, moment), at - moment)
    return waits


async def until_told(round: Round) -> None:
    """Wait until webhooks have told everything, or nothing new is told for long enough."""
    left, since = round.untold(), time.monotonic()
    while left and time.monotonic() < since + QUIET_SECONDS:
        await asyncio.sleep(LOOK_SECONDS)
        now = round.untold()
        since, left = (since if now == left else time.monotonic()), now
