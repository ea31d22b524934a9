"""The service's side: checks wait for their turn by project, and what passes a limit is told as a problem."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from flowlang.building.compiler import KnownNames
from registry import errors
from registry.checking.tasks import Check, Wrong
from servicekit.web.problems import ProblemError, unavailable
from servicekit.workers.forking import ForkerGone
from servicekit.workers.line import Limits
from servicekit.workers.pool import Ended, HasWorkers
from servicekit.workers.worker import MEMORY

Document = dict[str, Any]
AT_ONCE = 2
"""Requests whose checks are made at once; also the workers that there are, so that nothing waits inside a transaction."""
MOST_WAITING = 63
"""Requests of a project that wait for their turn; it has one at a time. Who deploys sends many at once."""
LIMITS = Limits(cpu=5.0, seconds=10.0)


class Checks:
    """One per process."""

    def __init__(self, workers: HasWorkers) -> None:
        self._workers = workers
        self._room = asyncio.Semaphore(AT_ONCE)
        self._projects: dict[str, asyncio.Lock] = {}
        self._waiting: dict[str, int] = {}

    @contextlib.asynccontextmanager
    async def turn(self, project: str) -> AsyncIterator[None]:
        """Wait for the project's turn, and hold it. Raises ProblemError 429 where too many wait."""
        before = self._waiting.get(project, 0)
        if before > MOST_WAITING:
            raise errors.too_many_checks(MOST_WAITING + 1)
        self._waiting[project] = before + 1
        try:
            async with self._projects.setdefault(project, asyncio.Lock()), self._room:
                yield
        finally:
            self._waiting[project] -= 1
            if not self._waiting[project]:
                del self._waiting[project], self._projects[project]

    async def read(self, given: Document | str) -> Document:
        """A document from JSON or YAML. Raises ProblemError 422; see values.flow_documents.read."""
        document: Document = await self._made("read", given)
        return document

    async def imported(
        self, export: dict[str, Any], builder: str, files: Mapping[str, Any], slug: str | None
    ) -> tuple[Document, list[dict[str, str]]]:
        """(document, report). Raises ProblemError 422; see values.flow_imports.imported."""
        document, report = await self._made("imported", export, builder, files, slug)
        return document, report

    async def problems(self, document: Document, known: KnownNames | None = None) -> list[dict[str, Any]]:
        """All that is wrong with it, errors and warnings, as answers show them."""
        found: list[dict[str, Any]] = await self._made("problems", document, known)
        return found

    async def called_apis(self, document: Document) -> set[str]:
        """See values.flow_documents.called_apis."""
        found: set[str] = await self._made("called_apis", document)
        return found

    async def secrets_sent(self, document: Document) -> set[tuple[str, str]]:
        """See values.flow_documents.secrets_sent."""
        found: set[tuple[str, str]] = await self._made("secrets_sent", document)
        return found

    async def segments_asked(self, document: Document) -> set[str]:
        """See values.flow_documents.segments_asked."""
        found: set[str] = await self._made("segments_asked", document)
        return found

    async def webhook_entry(self, document: Document, entry: str) -> Mapping[str, str] | None:
        """See values.flow_documents.webhook_entry."""
        found: Mapping[str, str] | None = await self._made("webhook_entry", document, entry)
        return found

    async def wrong_answer(self, body: Any, status: int | None) -> str | None:
        """See values.expressions.wrong_answer."""
        found: str | None = await self._made("answer", body, status)
        return found

    async def read_segment(self, source: str) -> bool:
        """Whether flows may ask for a segment with this filter. Raises ProblemError 422 where it cannot be one."""
        wrong, is_for_flows = await self._made("segment", source)
        if wrong is not None:
            raise errors.invalid("/filter", wrong)
        return bool(is_for_flows)

    async def refuse_wrong(self, kind: str, source: str | None) -> None:
        """Raise ProblemError 422 where this `filter` or `template` of an endpoint cannot be one."""
        wrong = None if source is None else await self._made(kind, source)
        if wrong is not None:
            raise errors.invalid(f"/{kind}", wrong)

    async def _made(self, name: str, *arguments: Any) -> Any:
        check = Check(name, arguments)
        try:
            answer = await self._tried(check)
        except ForkerGone as error:
            raise unavailable("No process can be started that would check it.") from error
        except Ended as ended:
            if not ended.by_limit:
                raise unavailable(f"The check was not made: {ended}.") from ended
            limits = f"{LIMITS.cpu:g} s of CPU, {LIMITS.seconds:g} s in all, {MEMORY >> 20} MiB of memory"
            raise errors.check_too_costly(str(ended), limits) from ended
        if isinstance(answer, Wrong):
            raise ProblemError(*answer.arguments, **answer.extra)
        return answer

    async def _tried(self, check: Check) -> Any:
        """Once, and in a fresh process once more where somebody else has ended the first."""
        try:
            return await self._asked(check, fresh=False)
        except Ended as ended:
            if ended.by_limit:
                raise
        return await self._asked(check, fresh=True)

    async def _asked(self, check: Check, *, fresh: bool) -> Any:
        async with self._workers.worker(fresh=fresh) as worker:
            return (await worker.ask(check, LIMITS))[0]
