"""Callers who wait for the engine's word. Each holds a connection and memory for up to half a minute, so projects share them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from servicekit.shares import Shares
from servicekit.web.problems import ProblemError


class WaitingCallers:
    """`most` in this process, of which a project may have as many as are left (ADR-0018)."""

    def __init__(self, most: int) -> None:
        self._shares = Shares(most)

    @contextmanager
    def one_of(self, project_id: str) -> Iterator[None]:
        """One more waits inside. Raises ProblemError 429, before anything was accepted, when the project has its share."""
        if not self._shares.may_take(project_id):
            raise too_many_wait(self._shares.most)
        self._shares.take(project_id)
        try:
            yield
        finally:
            self._shares.give(project_id)


def too_many_wait(most: int) -> ProblemError:
    """429 that names the limit."""
    return ProblemError(
        "too-many-requests", 429, "Too many callers wait",
        f"{most} callers may wait at once (SWITCHHOOK_WAITING_CALLERS), those of one project as many as are left. "
        "Come again, or do not wait: Prefer: respond-async.",
        headers={"Retry-After": "1"},
    )  # fmt: skip
