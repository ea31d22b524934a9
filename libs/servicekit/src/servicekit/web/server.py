"""Runs an ASGI application on uvicorn (httptools, uvloop) until SIGTERM.

httptools is strict about where a request ends, which request smuggling lives on; what it does not bound, the head of a request, is bounded
here. The rest a service checks itself: servicekit.web.requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import uvicorn
import uvloop
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from servicekit.memory import give_back_memory, tune_collector
from servicekit.observability.metrics import histogram
from servicekit.settings import ServiceSettings
from servicekit.web.health import Health
from servicekit.web.unforeseen import Unforeseen

RAW_HEAD_LIMIT = 64 * 1024
"""Bytes of a request before its headers end; more closes the connection."""
KEEP_ALIVE_SECONDS = 65
"""Longer than a usual proxy keeps an idle connection, so that the proxy closes first and no request is lost in it."""
LAG_INTERVAL = 0.5

Lifespan = Callable[[], AbstractAsyncContextManager[Any]]


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's protocol, with a limit on what a client may send before its headers end."""

    _in_head = False
    _head_size = 0

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_size = True, 0

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head:
            self._head_size += len(data)
            if self._head_size > RAW_HEAD_LIMIT and not self.transport.is_closing():
                self.send_400_response("Request header too large.")


class _Server(uvicorn.Server):
    """uvicorn without its signal handling, which would end the process before the lifespan could close."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(app: ASGIApp, settings: ServiceSettings, lifespan: Lifespan | None = None, *, health: Health) -> None:
    """Run a service: enter `lifespan`, listen, and on SIGTERM or SIGINT go red, drain, leave `lifespan`.

    The port opens after `lifespan` was entered, so it must not wait for Kafka or Postgres: readiness tells about those.
    An error in either ends the process with it.
    """
    give_back_memory()
    tune_collector()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(app, settings, lifespan or _nothing, health))


def stop_process() -> None:
    """Ask this process to stop as SIGTERM does (from inside: a partition lost for good, a task that must not die)."""
    os.kill(os.getpid(), signal.SIGTERM)


async def _serve(app: ASGIApp, settings: ServiceSettings, lifespan: Lifespan, health: Health) -> None:
    server = _Server(_config(Unforeseen(health.wrap(app)), settings))

    def stop() -> None:
        server.force_exit = server.should_exit  # A second signal does not wait for requests in flight.
        server.should_exit = True
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


def _config(app: ASGIApp, settings: ServiceSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=BoundedHttp,
        loop="none",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=[str(network) for network in settings.trusted_proxies],
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.drain_seconds,
        backlog=4096,
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
