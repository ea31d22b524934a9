"""Waiting for a condition instead of for a time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")
LONGEST_PAUSE = 0.25
"""Seconds between two looks at a condition that is long in coming."""


@overload
async def eventually(condition: Callable[[], Awaitable[T]], *, seconds: float = 15, every: float = 0.02) -> T: ...


@overload
async def eventually(condition: Callable[[], T], *, seconds: float = 15, every: float = 0.02) -> T: ...


async def eventually(condition: Callable[[], Any], *, seconds: float = 15, every: float = 0.02) -> Any:
    """The condition's first true value; AssertionError when there is none in time.

    `condition` may be a function or a coroutine function; one that raises AssertionError counts as not true yet. It is looked at
    `every` so many seconds at first, and the less often the longer it takes: who looks takes CPU from what is waited for.
    """
    began = time.monotonic()
    while True:
        last: object
        try:
            value = condition()
            settled = await value if inspect.isawaitable(value) else value
            if settled:
                return settled
            last = settled
        except AssertionError as error:
            last = error
        waited = time.monotonic() - began
        if waited > seconds:
            raise AssertionError(f"not within {seconds} s; last: {last!r}")
        await asyncio.sleep(max(every, min(waited / 10, LONGEST_PAUSE)))
