"""Makes turns: here as long as all is cheap by its form, else in a worker; a second time in a fresh one if that has ended.

The interpreter is pure, so a step may be given up and made again: nothing of it has left it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from flow_engine.catalogue.making import MOST_OF_A_PART
from flow_engine.catalogue.port import Catalogue, Surroundings
from flow_engine.programs.worker import Again, Learn, Refusal, Step, Unknown, Version
from flowlang.model import Contact, Conversation, Happening, RunCode, Tools, Turn
from flowlang.problems import NodeError
from flowlang.running.interpreter import step
from flowlang.work import Elsewhere
from flowtools.sandbox import LONGEST_RUN, MakeUrl, RunsCode
from servicekit.loop.batches import Infrastructure
from servicekit.shares import Places
from servicekit.workers.allowances import Allowances, AllowanceSpent
from servicekit.workers.forking import ForkerGone
from servicekit.workers.line import Limits
from servicekit.workers.pool import Asks, Ended, HasWorkers

MOST_CODE_RUNS = 8
"""Code nodes in one turn."""
STEP = Limits(cpu=0.4, seconds=2.0)
"""Four times what the programs of a turn may be charged (flowlang.work)."""
LEARN = Limits(cpu=5.0, seconds=10.0)
MOST_LEARNT = 64
"""Times that a step may ask for versions: it asks once for all of its bot, and once for each that a session stands on."""
MOST_AGAIN = 512
"""Times that it may have made much of them ready: each of its nodes and programs is made once."""
MAKING_AGAIN = 0.05
"""Seconds until more may be made ready where the project's allowance for that was spent."""
CODE_WAIT = 0.03
"""Seconds of a code run that are not counted: it may have waited for a process."""

log = structlog.get_logger()


class TooMuchCode(Exception):
    """The turn has come to more code nodes than it may run."""


def _refusing(why: str) -> Callable[[], None]:
    def refuse() -> None:
        raise NodeError("allowance-spent", why)

    return refuse


@dataclass(slots=True)
class Event:
    """What a turn is made of, and what it has come to so far."""

    around: Surroundings
    conversation: Conversation
    contact: Contact
    happening: Happening
    make_url: Callable[[str], MakeUrl]
    """From the wait of a code node to its `url_for`."""
    results: list[dict[str, Any]] = field(default_factory=list)
    """Of its code nodes."""
    gone: set[Version] = field(default_factory=set)
    segments: dict[str, str | None] = field(default_factory=dict)
    """Filters that its conditions have asked for in a worker, by the segments' names: those of one event are of one moment."""
    begun: Turn | None = None
    """As far as it was made at once, where it has come to code."""
    refused: str | None = None
    """Why its code does not run."""

    @property
    def project(self) -> str:
        return self.conversation.project_id


class Stepping:
    """One per process."""

    def __init__(
        self, sandbox: RunsCode, workers: HasWorkers, allowances: Allowances | None = None, *, code_at_once: int = 2
    ) -> None:
        """`code_at_once`: code nodes that run at a time; a project alone has half of them."""
        self._sandbox, self._workers, self._allowances = sandbox, workers, allowances or Allowances()
        self._code_places = Places(code_at_once)

    def at_once(self, event: Event) -> Turn | None:
        """The event's turn, if nothing of it has to be waited for."""
        try:
            turn = step(event.around.flows, event.conversation, event.contact, event.happening, event.around.tools)
        except Elsewhere:
            return None
        if turn.code is None:
            return turn
        event.begun = turn
        return None

    async def turn(self, event: Event, catalogue: Catalogue) -> Turn:
        """The event's finished turn, after `at_once` gave none.

        Raises TooMuchCode, Ended when no part of it can be blamed for ending two workers, Infrastructure when no worker can
        be had, and what else user code cannot cause.
        """
        if event.begun is not None:
            try:
                return await self._here(event, event.around.tools)
            except Elsewhere:
                pass
        try:
            self._allowances.check(event.project)
            return await self._in_worker(event, catalogue)
        except AllowanceSpent as error:
            return await self.refused(event, str(error))
        except ForkerGone as error:
            raise Infrastructure("no worker process can be started") from error

    async def refused(self, event: Event, why: str) -> Turn:
        """The turn without code nodes and what is not cheap by its form, which fail with `allowance-spent` and the reason.

        What has to be made ready for it is, a part after the other.
        """
        refuse, make = _refusing(why), event.around.tools.make
        event.refused = why

        def make_small(units: int) -> None:
            if units > MOST_OF_A_PART:
                refuse()
            make(units)

        tools = replace(event.around.tools, gate=refuse, make=make_small)
        while True:
            try:
                return await self._here(event, tools)
            except Elsewhere:
                await asyncio.sleep(MAKING_AGAIN)

    async def _here(self, event: Event, tools: Tools) -> Turn:
        flows = event.around.flows
        begun, event.begun = event.begun, None
        turn = begun or step(flows, event.conversation, event.contact, event.happening, tools)
        made = 0
        while turn.code is not None:
            result = event.results[made] if made < len(event.results) else await self._run(event, turn.code)
            made += 1
            answer = replace(event.happening, kind="code_result", data=result)
            turn = step(flows, turn.conversation, turn.contact, answer, tools)
        return turn

    async def _in_worker(self, event: Event, catalogue: Catalogue) -> Turn:
        refusal: Refusal | None = None
        for attempt in range(3):
            try:
                return await self._attempt(event, catalogue, refusal, fresh=attempt > 0)
            except Ended as ended:
                self._allowances.spend(event.project, STEP.cpu)
                last = ended
                log.warning(
                    "turn.ended", conversation=event.conversation.key, event_id=event.happening.id, why=str(ended)
                )
                if attempt == 1:
                    if not ended.progress:
                        break
                    refusal = Refusal(ended.progress, "program-ended", f"{ended}, and was ended")
        raise last

    async def _attempt(self, event: Event, catalogue: Catalogue, refusal: Refusal | None, *, fresh: bool) -> Turn:
        async with self._workers.worker(event.project, fresh=fresh) as worker:
            for _ in range(MOST_LEARNT + MOST_AGAIN + MOST_CODE_RUNS):
                answer, cpu = await worker.ask(_task(event, refusal), STEP)
                self._allowances.spend(event.project, cpu)
                if isinstance(answer, Unknown):
                    self._allowances.spend(event.project, await _teach(worker, event, answer, catalogue))
                elif isinstance(answer, Again):
                    self._allowances.check(event.project)
                elif isinstance(answer, RunCode):
                    await self._run(event, answer)
                else:
                    turn: Turn = answer
                    return turn
        raise Ended("it had flows made ready again and again", by_limit=True)

    async def _run(self, event: Event, code: RunCode) -> dict[str, Any]:
        """The result of a code node, which the event keeps."""
        if len(event.results) >= MOST_CODE_RUNS:
            raise TooMuchCode
        if event.refused is not None:
            event.results.append({"wait": code.wait, "ok": False, "error": event.refused})
            return event.results[-1]
        async with self._code_places.of(event.project):
            try:
                self._allowances.check(event.project)
            except AllowanceSpent as error:
                result: dict[str, Any] = {"wait": code.wait, "ok": False, "error": str(error)}
            else:
                began = time.monotonic()
                result = await self._sandbox.run(code, event.make_url(code.wait))
                self._allowances.spend(event.project, min(time.monotonic() - began - CODE_WAIT, LONGEST_RUN))
        event.results.append(result)
        return result


def _task(event: Event, refusal: Refusal | None) -> Step:
    tools = event.around.tools
    return Step(
        event.around.flows.versions, frozenset(event.gone), tools.bot, tools.channel,
        event.conversation, event.contact, event.happening, tuple(event.results), refusal, tools.opt_out,
        dict(event.segments),
    )  # fmt: skip


async def _teach(worker: Asks, event: Event, unknown: Unknown, catalogue: Catalogue) -> float:
    """Give the worker the versions that it lacks, or note that they are gone; seconds of CPU. Raises UnknownVersion."""
    spent = 0.0
    if unknown.segment is not None:
        event.segments[unknown.segment] = catalogue.segment(event.project, unknown.segment)
    for version in unknown.versions:
        data = catalogue.flow_data(*version)
        if data is None:
            event.gone.add(version)
        else:
            _, cpu = await worker.ask(Learn(event.around.flows.versions, version, data), LEARN)
            spent += cpu
    return spent
