"""What workers of the registry's tests do: checks, of which one of a document that says so never ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from registry.checking.tasks import Check
from registry.values import checking_worker

ENDLESS = "endless"


def make(settings: None) -> Callable[[Check, Callable[[], None]], Any]:
    """The target of servicekit.workers."""

    def do(check: Check, progress: Callable[[], None]) -> Any:
        while ENDLESS in str(check.arguments[0]):
            pass
        return checking_worker.do(check, progress)

    return do
