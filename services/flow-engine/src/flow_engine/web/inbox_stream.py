"""The inbox as a stream of server-sent events: what the list shows, then each conversation as it changes.

It is looked for in PostgreSQL once a second, by ids and versions, so that any replica tells of it and none remembers it: who comes
again begins with the list. Whoever is listed is bounded, and a connection is held only while it is looked. Those who listen to the same
share a look: of a large desk each one costs what it tells, and not what it lists.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from flow_engine.store import inbox
from flow_engine.store.inbox import Asked, Found
from servicekit.database import Pool
from servicekit.loop.infrastructure import is_infrastructure
from servicekit.shares import Shares
from servicekit.web.problems import ProblemError

MEDIA_TYPE = "text/event-stream"
EVERY_SECONDS = 1.0
HEARTBEAT_SECONDS = 15.0
"""A comment at least this often; so often it is asked whether the listener may still hear."""
STREAM_SECONDS = 3_600.0
"""A stream ends then, and its client comes again: load spreads over new replicas."""
MOST_STREAMS = 500
"""Of this process; those of one project as many as are left (servicekit.shares)."""
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}

FindPool = Callable[[], Pool]
AskAgain = Callable[[], Awaitable[object]]
"""Whether the listener may still hear, as of now: raises ProblemError when its token is over."""
Show = Callable[[Found], dict[str, Any]]


class Streams:
    """Those of this process. `close` ends them, for a graceful stop."""

    def __init__(self) -> None:
        self._shares, self._closing = Shares(MOST_STREAMS), asyncio.Event()
        self._looks = Looks(EVERY_SECONDS / 2)

    def close(self) -> None:
        """Their clients come again, elsewhere."""
        self._closing.set()

    def answer(
        self, project_id: str, pool: FindPool, asked: Asked, show: Show, ask_again: AskAgain
    ) -> StreamingResponse:
        """A stream of `asked`. Raises ProblemError 429 while too many are open."""
        if not self._shares.may_take(project_id):
            raise ProblemError(
                "too-many-requests", 429, "Too many streams",
                f"{MOST_STREAMS} streams may be open at once, those of one project as many as are left. Come again.",
                headers={"Retry-After": "5"},
            )  # fmt: skip
        return _Stream(self._told(Watch(pool, asked, show, self._looks), ask_again), self._shares, project_id)

    async def _told(self, watch: Watch, ask_again: AskAgain) -> AsyncIterator[bytes]:
        until, heard = time.monotonic() + STREAM_SECONDS, time.monotonic()
        yield b": attached\n\n"
        while time.monotonic() < until and not self._closing.is_set():
            if chunk := await watch.changes():
                yield chunk
            if time.monotonic() - heard >= HEARTBEAT_SECONDS:
                if not await _may_hear(ask_again):
                    return  # The client comes again, and hears why not.
                heard = time.monotonic()
                yield b": beat\n\n"
            await self._pause()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(EVERY_SECONDS):
                await self._closing.wait()
        except TimeoutError:
            return


class _Stream(StreamingResponse):
    """Has its place as long as it is answered. A client that reads nothing keeps who sends waiting, so it ends all the same."""

    def __init__(self, chunks: AsyncIterator[bytes], shares: Shares, project_id: str) -> None:
        super().__init__(chunks, media_type=MEDIA_TYPE, headers=_HEADERS)
        self._shares, self._project_id = shares, project_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._shares.take(self._project_id)
        try:
            async with asyncio.timeout(STREAM_SECONDS + HEARTBEAT_SECONDS):
                await super().__call__(scope, receive, send)
        except TimeoutError:
            return  # An answer without its end: the connection is closed.
        finally:
            self._shares.give(self._project_id)


async def _may_hear(ask_again: AskAgain) -> bool:
    try:
        await ask_again()
    except ProblemError as error:
        return error.status == 503  # Not known now: the next time says it.
    return True


class Looks:
    """The versions that the database told last, by what was asked. They are told again for `seconds`."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds
        self._last: dict[Asked, tuple[float, asyncio.Task[dict[str, int]]]] = {}

    async def versions(self, pool: FindPool, asked: Asked) -> dict[str, int]:
        """As inbox.versions has them; not to be changed. Raises what it raises."""
        now = time.monotonic()
        self._last = {one: last for one, last in self._last.items() if now < last[0] + self._seconds}
        if asked not in self._last:
            self._last[asked] = now, (look := asyncio.create_task(_versions(pool, asked)))
            look.add_done_callback(
                lambda done: done.cancelled() or done.exception()
            )  # Nobody may be left who waits for it.
        return await asyncio.shield(self._last[asked][1])


async def _versions(pool: FindPool, asked: Asked) -> dict[str, int]:
    async with pool().acquire() as connection:
        return await inbox.versions(connection, asked)


class Watch:
    """What a listener has been told."""

    def __init__(self, pool: FindPool, asked: Asked, show: Show, looks: Looks | None = None) -> None:
        """`looks`: those that listeners of this process share; None: its own."""
        self._pool, self._asked, self._show, self._looks = pool, asked, show, looks or Looks()
        self._known: dict[str, int] = {}

    async def changes(self) -> bytes:
        """What is new since the last look, as events; nothing while the database is away."""
        try:
            now = await self._looks.versions(self._pool, self._asked)
            if now is self._known:
                return b""
            fresh = [id for id, version in now.items() if self._known.get(id) != version]
            gone = [id for id in self._known if id not in now]
            if not (fresh or gone):
                self._known = now
                return b""
            async with self._pool().acquire() as connection:
                found = await inbox.find_all(connection, [*fresh, *gone])
        except ProblemError:
            return b""
        except Exception as error:
            if not is_infrastructure(error):
                raise
            return b""
        self._known = now
        left, there = set(gone), {one.id for one in found}
        told = [_event("gone" if one.id in left else "conversation", self._show(one)) for one in found]
        return b"".join(told + [_event("gone", {"id": id}) for id in gone if id not in there])


def _event(name: str, data: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(data))
