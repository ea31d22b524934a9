"""Callers who wait for the engine's word, and those who listen to a chat.

Each holds a connection and memory, for up to half a minute or, with a stream, an hour; so projects share them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from servicekit.shares import Shares
from servicekit.web.problems import ProblemError


class WaitingCallers:
    """`most` in this process, of which a project may have as many as are left (ADR-0018)."""

    def __init__(self, most: int, advice: str = "or do not wait: Prefer: respond-async.") -> None:
        """`advice`: what else one who is refused may do, at the end of a sentence."""
        self._shares, self._advice = Shares(most), advice

    @contextmanager
    def one_of(self, project_id: str) -> Iterator[None]:
        """One more waits inside. Raises ProblemError 429, before anything was accepted, when the project has its share."""
        if not self._shares.may_take(project_id):
            raise too_many_wait(self._shares.most, self._advice)
        self._shares.take(project_id)
        try:
            yield
        finally:
            self._shares.give(project_id)


def too_many_wait(most: int, advice: str) -> ProblemError:
    """429 that names the limit."""
    return ProblemError(
        "too-many-requests", 429, "Too many callers wait",
        f"{most} callers may wait at once (SWITCHHOOK_WAITING_CALLERS), those of one project as many as are left. "
        f"Come again, {advice}",
        headers={"Retry-After": "1"},
    )  # fmt: skip
