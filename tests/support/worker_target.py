"""What workers of tests do: as they are told, also what ends them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any


def make(settings: Any) -> Callable[[Any, Callable[[], None]], Any]:
    """The target of servicekit.workers."""

    def do(task: Any, progress: Callable[[], None]) -> Any:
        for word, argument in task:
            if word == "progress":
                progress()
            elif word == "settings":
                return settings
            elif word == "environment":
                return dict(os.environ)
            else:
                _WORDS[word](argument)
        return os.getpid()

    return do


def _loop(_: Any) -> None:
    while True:
        pass


def _hold_the_interpreter(size: int) -> None:
    """One call into C that no signal handler of Python's comes into."""
    assert sum(range(size)) >= 0


def _take_memory(size: int) -> None:
    assert bytearray(size)


def _raise(text: str) -> None:
    raise ValueError(text)


def _kill(number: int) -> None:
    os.kill(os.getpid(), number)


_WORDS: dict[str, Callable[[Any], None]] = {
    "loop": _loop,
    "hold": _hold_the_interpreter,
    "memory": _take_memory,
    "sleep": time.sleep,
    "raise": _raise,
    "kill": _kill,
    "exit": os._exit,
    "stop": lambda _: _kill(signal.SIGSTOP),
}
