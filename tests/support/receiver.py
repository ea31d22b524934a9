"""Somebody else's web server: answers as programmed, keeps every request."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Request:
    """One request that came. `headers` have lower-case names, `status` is what was answered, `at` is monotonic."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    status: int
    at: float

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class _Programme:
    status: int = 204
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    failures: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    first_attempts: tuple[int, int] = (0, 0)
    """(how many requests of each webhook-id fail, status)"""
    seen: Counter[str] = field(default_factory=Counter)
    delay: float = 0.0
    gate: asyncio.Event | None = None


class Receiver:
    """Each path answers 204 until it is told otherwise."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Request] = []
        self._programmes: dict[str, _Programme] = {}

    def answer(self, path: str, status: int, body: Any = None, headers: dict[str, str] | None = None) -> None:
        """From now on: this status and JSON body."""
        programme = self._programme(path)
        programme.status, programme.body, programme.headers = status, body, headers or {}

    def fail_next(self, path: str, status: int, times: int = 1, headers: dict[str, str] | None = None) -> None:
        """The next requests get this status."""
        self._programme(path).failures += [(status, headers or {})] * times

    def fail_first(self, path: str, status: int, times: int) -> None:
        """The first requests of each webhook-id get this status."""
        self._programme(path).first_attempts = (times, status)

    def delay(self, path: str, seconds: float) -> None:
        """Answer so much later from now on."""
        self._programme(path).delay = seconds

    def hold(self, path: str) -> asyncio.Event:
        """Answer once the event is set."""
        gate = self._programme(path).gate = asyncio.Event()
        return gate

    def forget(self) -> None:
        """Forget the requests, keep the programmes."""
        self.requests.clear()

    def requests_to(self, path: str) -> list[Request]:
        """In order of arrival."""
        return [request for request in self.requests if request.path == path]

    def _programme(self, path: str) -> _Programme:
        return self._programmes.setdefault(path, _Programme())

    @staticmethod
    def _outcome(programme: _Programme, webhook_id: str) -> tuple[int, dict[str, str]]:
        if programme.failures:
            return programme.failures.pop(0)
        programme.seen[webhook_id] += 1
        if programme.seen[webhook_id] <= programme.first_attempts[0]:
            return programme.first_attempts[1], {}
        return programme.status, programme.headers

    async def handle(self, request: web.Request) -> web.Response:
        programme, body, at = self._programme(request.path), await request.read(), time.monotonic()
        names = {name.lower(): value for name, value in request.headers.items()}
        status, headers = self._outcome(programme, names.get("webhook-id", ""))
        self.requests.append(Request(request.method, request.path, dict(request.query), names, body, status, at))
        if programme.gate is not None:
            await programme.gate.wait()
        if programme.delay:
            await asyncio.sleep(programme.delay)
        if status == programme.status and programme.body is not None:
            return web.json_response(programme.body, status=status, headers=headers)
        return web.Response(status=status, headers=headers)


@contextlib.asynccontextmanager
async def receiver(host: str = LOOPBACK) -> AsyncIterator[Receiver]:
    """Listens on a free port of this machine's address until the end of the block."""
    made = Receiver()
    async with serving(made.handle, host) as url:
        made.url = url
        yield made


@contextlib.asynccontextmanager
async def serving(handle: Any, host: str = LOOPBACK) -> AsyncIterator[str]:
    """Every request goes to `handle`; the base URL."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, 0)
    await site.start()
    try:
        yield f"http://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
