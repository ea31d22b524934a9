"""Readiness of a service whose work its loops are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class HasProblem(Protocol):
    """A partition loop, for one."""

    def problem(self) -> str | None:
        """One sentence when it stands still and will not go on by itself."""
        ...


def problem_of(loops: Sequence[HasProblem]) -> str | None:
    """Why the service is not ready, None when it is. Without loops it still waits to begin."""
    if not loops:
        return "waiting for Postgres and the registry"
    return next((problem for loop in loops if (problem := loop.problem())), None)
