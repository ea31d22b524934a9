"""Runs a write: one transaction with its idempotency, then the wait until Kafka has what it published."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Protocol

from starlette.responses import Response

from registry.site import Site
from registry.store import publications
from registry.writing import idempotency
from registry.writing.answers import Answer
from registry.writing.idempotency import Key
from registry.writing.topic_tail import Version
from registry.writing.unit import Unit
from servicekit.database import Database

CONFIRM_SECONDS = 5.0
Work = Callable[[Unit], Awaitable[Answer]]
FollowUp = Callable[[Answer], Awaitable[Answer]]


class Confirmation(Protocol):
    """What tells that records are on the topic (registry.writing.topic_tail)."""

    async def seen(self, wanted: Mapping[str, Version], timeout: float) -> bool:
        """Wait until the topic has these versions, or later ones; False when that took longer than `timeout` seconds."""
        ...


class Writes:
    """One per process."""

    def __init__(
        self, database: Database, confirmation: Confirmation, site: Site, *, confirm_seconds: float = CONFIRM_SECONDS
    ) -> None:
        self._database, self._confirmation, self._site = database, confirmation, site
        self._confirm_seconds = confirm_seconds

    async def answer(
        self,
        project: str | None,
        key: Key | None,
        work: Work,
        then: FollowUp | None = None,
        *,
        turn: AbstractAsyncContextManager[None] | None = None,
    ) -> Response:
        """Do the work once and answer when Kafka has it; a repeat is answered alike.

        `then` runs after that, outside of any transaction, and may change the answer. `turn` is held while the work is
        done, and waited for before a connection is taken.
        """
        async with turn or nullcontext():
            answer, generation, is_repeat = await self._once(project, key, work)
        wanted = {name: (generation, version) for name, version in answer.published.items()}
        if not await self._confirmation.seen(wanted, self._confirm_seconds):
            return answer.pending().response(pending=True)
        if then is not None and not is_repeat:
            answer = await then(answer)
            await self._keep(key, answer)
        return answer.response()

    async def run(self, project: str | None, work: Work) -> Answer:
        """Do the work in a transaction; nobody waits for it."""
        answer, _, _ = await self._once(project, None, work)
        return answer

    async def _once(self, project: str | None, key: Key | None, work: Work) -> tuple[Answer, int, bool]:
        async with self._database.pool.acquire() as connection, connection.transaction():
            generation = await publications.generation(connection)
            if key is not None:
                kept = await idempotency.recall(connection, key, self._site.keys)
                if kept is not None:
                    return kept, generation, True
            answer = await work(Unit(connection, project, generation, self._site))
            if key is not None:
                await idempotency.keep(connection, key, answer, self._site.keys)
            return answer, generation, False

    async def _keep(self, key: Key | None, answer: Answer) -> None:
        if key is not None:
            async with self._database.pool.acquire() as connection:
                await idempotency.keep(connection, key, answer, self._site.keys)
