"""What workers of the registry's tests do: checks, of which one of a document that says so never ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from registry.checking import worker

ENDLESS = "endless"


def make(settings: None) -> Callable[[worker.Check, Callable[[], None]], Any]:
    """The target of servicekit.workers."""

    def do(check: worker.Check, progress: Callable[[], None]) -> Any:
        while ENDLESS in str(check.arguments[0]):
            pass
        return worker.do(check, progress)

    return do
