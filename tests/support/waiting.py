"""Waiting for a condition instead of for a time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")


@overload
async def eventually(condition: Callable[[], Awaitable[T]], *, seconds: float = 15, every: float = 0.02) -> T: ...


@overload
async def eventually(condition: Callable[[], T], *, seconds: float = 15, every: float = 0.02) -> T: ...


async def eventually(condition: Callable[[], Any], *, seconds: float = 15, every: float = 0.02) -> Any:
    """The condition's first true value; AssertionError when there is none in time.

    `condition` may be a function or a coroutine function; one that raises AssertionError counts as not true yet.
    """
    deadline = time.monotonic() + seconds
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
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s; last: {last!r}")
        await asyncio.sleep(every)
