"""What services have in common that lay an event down for the engine and let their caller wait for its word: the event's id, a place
among those who wait, the answer.

Who waits holds a connection and memory, for up to half a minute or, with a stream, an hour; so projects share the places.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from contracts.ids import derived_id, new_id
from contracts.inbound import ReplyTo
from contracts.replies import RunReply
from servicekit.observability.metrics import gauge, histogram
from servicekit.shares import Shares
from servicekit.web.problems import ProblemError

LONGEST_KEY = 255


def event_id_of(idempotency_key: bytes | None, project_id: str, path: str) -> str:
    """The event id of a request: the same for the same project, path and Idempotency-Key, else a new one. Raises ProblemError 400."""
    if idempotency_key is None:
        return new_id()
    if not 0 < len(idempotency_key) <= LONGEST_KEY:
        detail = f"Idempotency-Key has 1 to {LONGEST_KEY} characters."
        raise ProblemError("bad-idempotency-key", 400, "Bad Idempotency-Key", detail)
    return derived_id(project_id, path, idempotency_key.decode("latin-1"))


class Question:
    """An answer to come, and the address that the record must carry for it. Over when its `with` block is left."""

    def __init__(self, reply_to: ReplyTo, future: asyncio.Future[Any]) -> None:
        self.reply_to, self._future = reply_to, future

    async def answer(self, seconds: float) -> RunReply | None:
        """The engine's word, None when there was none in time."""
        with gauge("switchhook_waiting_callers").track_inprogress(), histogram("switchhook_wait_seconds").time():
            try:
                async with asyncio.timeout(seconds):
                    reply: RunReply = await self._future
            except TimeoutError:
                return None
            return reply

    def __enter__(self) -> Question:
        return self

    def __exit__(self, *_: object) -> None:
        self._future.cancel()


class WaitingCallers:
    """`most` in this process, of which a project may have as many as are left (ADR-0018)."""

    def __init__(
        self, most: int, advice: str = "or do not wait: Prefer: respond-async.", *, setting: str | None = None
    ) -> None:
        """`advice`: what else one who is refused may do, at the end of a sentence. `setting`: the name of what says `most`."""
        self._shares, self._advice = Shares(most), advice
        self._named = f" ({setting})" if setting else ""

    @contextmanager
    def one_of(self, project_id: str) -> Iterator[None]:
        """One more waits inside. Raises ProblemError 429, before anything was accepted, when the project has its share."""
        if not self._shares.may_take(project_id):
            raise ProblemError(
                "too-many-requests", 429, "Too many callers wait",
                f"{self._shares.most} callers may wait at once{self._named}, those of one project as many as are left. "
                f"Come again, {self._advice}",
                headers={"Retry-After": "1"},
            )  # fmt: skip
        self._shares.take(project_id)
        try:
            yield
        finally:
            self._shares.give(project_id)
