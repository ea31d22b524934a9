"""Waiting for aiokafka with a time-out, without ever cancelling it.

Its tasks share futures (metadata, connections): cancelling a call that awaits one cancels it for the others too, and a
fetcher, a sender or whoever else waits ends in silence. Seen on a broker outage: a time-out around `end_offsets` ended
the task that was in `getmany`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from aiokafka.errors import KafkaError

T = TypeVar("T")
END_SECONDS = 5.0
_running: set[asyncio.Task[Any]] = set()


async def undisturbed(work: Coroutine[Any, Any, T], timeout: float) -> T:
    """The result of `work`. Raises TimeoutError after `timeout` seconds; `work` then goes on, and nobody hears of it.

    Raises KafkaError when it was cancelled from inside.
    """
    task = asyncio.create_task(work)
    _running.add(task)
    task.add_done_callback(_ended)
    done, _ = await asyncio.wait([task], timeout=timeout)
    if not done:
        raise TimeoutError(f"no answer within {timeout:g} s")
    if task.cancelled():
        raise KafkaError("cancelled from inside")
    return task.result()


async def to_its_end(work: Coroutine[Any, Any, T], timeout: float) -> T:
    """As `undisturbed`, for who closes the client as soon as it is cancelled: it is cancelled once `work` has ended, or some seconds
    later. A client that is closed while it connects loses a socket."""
    task = asyncio.create_task(work)
    try:
        await asyncio.wait([task], timeout=timeout)
    finally:
        if not task.done():
            await asyncio.wait([task], timeout=END_SECONDS)
        if not task.done():
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    if task.cancelled():
        raise TimeoutError(f"no answer within {timeout:g} s")
    return task.result()


def _ended(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled():
        task.exception()


def is_being_cancelled() -> bool:
    """Whether somebody asked the current task to end; a CancelledError may also have leaked into it."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
