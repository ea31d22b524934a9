"""Endpoints' filters and templates, which users wrote: a plain comparison is made here, all else in a worker process.

So this process reads neither CEL nor Liquid, and saves their memory; the workers start when the first is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import structlog

from dispatcher.errors import NoRequest
from dispatcher.sending.event_scopes import EventScopes
from flowlang.expressions.comparisons import Comparison, comparison
from servicekit.loop.batches import Infrastructure
from servicekit.workers.allowances import Allowances, AllowanceSpent
from servicekit.workers.forking import ForkerGone
from servicekit.workers.line import Limits
from servicekit.workers.pool import Ended, HasWorkers, TaskFailed

TARGET = f"{__name__}:make"
MOST_WORKERS = 2
LIMITS = Limits(cpu=0.4, seconds=2.0)
"""Of one program, with reading it: 40 times what one may be charged (flowlang.work)."""

log = structlog.get_logger()


class Rendering(NamedTuple):
    """Task: the text of a template for an event."""

    source: str
    event: Mapping[str, Any]


class Judging(NamedTuple):
    """Task: whether a filter lets an event through."""

    source: str
    event: Mapping[str, Any]


class Failed(NamedTuple):
    """The program's own failure."""

    why: str


def make(settings: None) -> Callable[[Rendering | Judging, Callable[[], None]], str | bool | Failed]:
    """The target of servicekit.workers: only it reads Liquid and CEL."""
    from dispatcher.sending import rendering

    def do(task: Rendering | Judging, progress: Callable[[], None]) -> str | bool | Failed:
        try:
            if isinstance(task, Judging):
                return rendering.judge(task.source, task.event)
            return rendering.render(task.source, task.event)
        except rendering.ProgramFailed as error:
            return Failed(str(error))

    return do


class NotRendered(Exception):
    """A request needs the text of a template, which takes a while: have it rendered, and ask for the request again."""

    def __init__(self, source: str, event: Mapping[str, Any]) -> None:
        super().__init__("a template")
        self.source, self.event = source, event


def not_yet(source: str, event: Mapping[str, Any]) -> str:
    """SendContext.render, before anything was rendered. Raises NotRendered."""
    raise NotRendered(source, event)


class Programs:
    """One per process. A program whose worker ended has failed, after a second try in a fresh one.

    Where no worker can be had all raise Infrastructure: that is nothing of the program's.
    """

    def __init__(self, workers: HasWorkers, allowances: Allowances | None = None) -> None:
        self._workers, self._allowances = workers, allowances or Allowances()

    async def render(self, project: str, source: str, event: Mapping[str, Any]) -> str:
        """A template's text. Raises NoRequest where it cannot be rendered for this event."""
        made = await self._made(project, Rendering(source, event))
        if isinstance(made, Failed):
            raise NoRequest("exhausted", "template", made.why)
        return str(made)

    async def lets_through(self, project: str, endpoint: str, source: str, event: Mapping[str, Any]) -> bool:
        """Whether a filter is true of the event. One that cannot be judged lets it through: the event is not lost."""
        plain = _comparison(source)
        if plain is not None:
            decided = plain.decide(EventScopes(event).scope(plain.root))
            if decided is not None:
                return decided
        judged = await self._made(project, Judging(source, event))
        if isinstance(judged, Failed):
            log.warning("filter.failed", endpoint=endpoint, error=judged.why)
            return True
        return judged is True

    async def _made(self, project: str, task: Rendering | Judging) -> str | bool | Failed:
        try:
            self._allowances.check(project)
            try:
                return await self._tried(project, task, fresh=False)
            except Ended as error:
                log.warning("program.ended", project=project, why=str(error))
                return await self._tried(project, task, fresh=True)
        except (AllowanceSpent, TaskFailed) as error:
            return Failed(str(error)[:500])
        except ForkerGone as error:
            raise Infrastructure("no worker process can be started") from error
        except Ended as error:
            log.warning("program.ended", project=project, why=str(error))
            return Failed(f"{error}, and was ended")

    async def _tried(self, project: str, task: Rendering | Judging, *, fresh: bool) -> str | bool | Failed:
        try:
            async with self._workers.worker(project, fresh=fresh) as worker:
                self._allowances.check(project)  # Again: those that were before it in the line have spent, too.
                answer, cpu = await worker.ask(task, LIMITS)
        except Ended:
            self._allowances.spend(project, LIMITS.cpu)
            raise
        self._allowances.spend(project, cpu)
        made: str | bool | Failed = answer
        return made


@lru_cache(maxsize=1024)
def _comparison(source: str) -> Comparison | None:
    return comparison(source)
