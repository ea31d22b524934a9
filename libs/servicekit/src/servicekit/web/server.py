"""Runs an ASGI application on uvicorn (uvloop) until SIGTERM.

What a connection may send, and how slowly, is bounded in servicekit.web.bounded_http; the rest a service checks itself:
servicekit.web.requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from email.utils import formatdate
from typing import Any

import uvicorn
import uvloop
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from servicekit.memory import give_back_memory, tune_collector
from servicekit.observability.metrics import histogram
from servicekit.settings import ServiceSettings
from servicekit.web.bounded_http import KEEP_ALIVE_SECONDS, BoundedHttp
from servicekit.web.health import Health
from servicekit.web.requests import Inflated

LAG_INTERVAL = 1.0
MOST_FILES = 65_536

Lifespan = Callable[[], AbstractAsyncContextManager[Any]]


class _State(ServerState):
    """Makes the Date of an answer when there is one; uvicorn makes one each second."""

    def __init__(self) -> None:
        super().__init__()
        self._second, self._headers = 0, list[tuple[bytes, bytes]]()

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        now = int(time.time())
        if now != self._second:
            self._second, self._headers = now, [(b"date", formatdate(now, usegmt=True).encode())]
        return self._headers

    @default_headers.setter
    def default_headers(self, _: list[tuple[bytes, bytes]]) -> None:
        """uvicorn sets none at first."""


class _Server(uvicorn.Server):
    """uvicorn without its signal handling, which would end the process before the lifespan could close, and without its look
    ten times a second whether it is to end."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.server_state, self._ending = _State(), asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        await self._ending.wait()

    def end(self) -> None:
        """Serve no more; called again, do not wait for requests in flight."""
        self.force_exit = self.should_exit
        self.should_exit = True
        self._ending.set()


class Listening:
    """An application on a port, in a process that has other work too: without signals, health and a lifespan."""

    def __init__(self, app: ASGIApp) -> None:
        self._config = _config(app, proxy_headers=False)
        self._state = ServerState()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; the port, which is chosen when `port` is 0. Raises OSError when it is taken."""
        self._config.load()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: BoundedHttp(config=self._config, server_state=self._state, app_state={}), host, port
        )
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the port and all connections; who answers is told so, and ended when that does not help."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._state.connections):
            connection.transport.abort()
        tasks = set(self._state.tasks)
        if tasks:
            _, left = await asyncio.wait(tasks, timeout=1)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)


def serve(app: ASGIApp, settings: ServiceSettings, lifespan: Lifespan | None = None, *, health: Health) -> None:
    """Run a service: enter `lifespan`, listen, and on SIGTERM or SIGINT go red, drain, leave `lifespan`.

    The port opens after `lifespan` was entered, so it must not wait for Kafka or Postgres: readiness tells about those.
    An error in either ends the process with it.
    """
    give_back_memory()
    tune_collector()
    allow_connections()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(app, settings, lifespan or _nothing, health))


def allow_connections() -> None:
    """As many open files as the system lets this process have, up to MOST_FILES: each connection is one.

    The usual limit of 1024 is for programs that use select(), and some hundred silent clients would use it up.
    """
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if most == resource.RLIM_INFINITY else min(MOST_FILES, most)
    if allowed != resource.RLIM_INFINITY and allowed < wanted:
        with contextlib.suppress(ValueError, OSError):  # macOS has a second limit, which it does not tell here.
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def stop_process() -> None:
    """Ask this process to stop as SIGTERM does (from inside: a partition lost for good, a task that must not die)."""
    os.kill(os.getpid(), signal.SIGTERM)


async def _serve(app: ASGIApp, settings: ServiceSettings, lifespan: Lifespan, health: Health) -> None:
    config = _config(
        Inflated(health.wrap(app)),
        host=settings.host,
        port=settings.port,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=[str(network) for network in settings.trusted_proxies],
        timeout_graceful_shutdown=settings.drain_seconds,
        backlog=4096,
    )
    server = _Server(config)

    def stop() -> None:
        server.end()
        health.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    async with lifespan():
        lag = asyncio.create_task(watch_loop_lag())
        try:
            await server.serve()
        finally:
            lag.cancel()


def _config(app: ASGIApp, **more: Any) -> uvicorn.Config:
    """What all servers have in common, and `more`."""
    return uvicorn.Config(
        app,
        interface="asgi3",  # Else uvicorn takes what is no coroutine function for an older kind of application.
        http=BoundedHttp,
        loop="none",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        **more,
    )


@contextlib.asynccontextmanager
async def _nothing() -> Any:
    yield


async def watch_loop_lag(interval: float = LAG_INTERVAL) -> None:
    """Measure for ever how late the event loop runs what is due."""
    loop, lag = asyncio.get_running_loop(), histogram("switchhook_loop_lag_seconds")
    while True:
        due = loop.time() + interval
        await asyncio.sleep(interval)
        lag.observe(max(0.0, loop.time() - due))
