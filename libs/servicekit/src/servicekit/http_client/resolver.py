"""Names to addresses for outgoing requests: every answer must be allowed, or none is used.

Look-ups run on threads of our own, which projects share: a name server that does not answer holds a thread for longer
than anybody waits, so that one project's silent names would otherwise stop all new connections.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from servicekit.shares import Places

LOOKUP_SECONDS = 3.0
KEPT_SECONDS = 5.0
NAMES_KEPT = 4096
THREADS = 64
"""Of which a project alone may hold half."""

Lookup = Callable[[str], Awaitable[list[str]]]
"""All addresses of a name, both families. Raises OSError when there are none."""


class AddressRefused(OSError):
    """A name leads, or a connection would lead, where nobody allowed it to. The address is for the operator's log only."""

    def __init__(self, address: str) -> None:
        super().__init__("address refused")
        self.address = address


class Names:
    """Shared, bounded, briefly remembered look-ups."""

    def __init__(self, lookup: Lookup | None = None) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="resolver")
        self._lookup = lookup or self._on_thread
        self._known: dict[str, tuple[float, list[str]]] = {}
        self._places = Places(THREADS)
        self._running: dict[tuple[str, str], asyncio.Task[list[str]]] = {}

    async def addresses(self, host: str, project: str) -> list[str]:
        """The addresses of `host`, looked up for that project. Raises OSError, after 3 s at the latest."""
        kept_until, known = self._known.get(host, (0.0, []))
        if kept_until > time.monotonic():
            return known
        key = (project, host)
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = asyncio.create_task(self._fetch(host, project))
            running.add_done_callback(lambda done: self._finished(key, done))
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                return await asyncio.shield(running)
        except TimeoutError:
            raise OSError(errno.ETIMEDOUT, "no answer from the name server") from None

    async def _fetch(self, host: str, project: str) -> list[str]:
        async with asyncio.timeout(LOOKUP_SECONDS) as limit, self._places.of(project):
            limit.reschedule(None)  # Its place is held as long as its thread is.
            found = await self._lookup(host)
        if len(self._known) >= NAMES_KEPT:
            self._known.clear()
        self._known[host] = (time.monotonic() + KEPT_SECONDS, found)
        return found

    def _finished(self, key: tuple[str, str], done: asyncio.Task[list[str]]) -> None:
        self._running.pop(key, None)
        if not done.cancelled():
            done.exception()  # Its waiters may all have given up; it is theirs, not the loop's, to report.

    async def _on_thread(self, host: str) -> list[str]:
        loop = asyncio.get_running_loop()
        answers = await loop.run_in_executor(self._threads, _getaddrinfo, host)
        return list(dict.fromkeys(str(answer[4][0]) for answer in answers))

    def close(self) -> None:
        for running in self._running.values():
            running.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)


def _getaddrinfo(host: str) -> list[Any]:
    return socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
