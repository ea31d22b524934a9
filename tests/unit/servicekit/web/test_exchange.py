"""What becomes of a request whose application does not answer it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from servicekit.web.exchange import Exchange

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]}
HALF = {"type": "http.response.body", "body": b"abc", "more_body": True}
SCOPE: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "headers": []}


class Transport:
    def __init__(self) -> None:
        self.written, self.closed = b"", False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True


def exchange(transport: Any) -> Exchange:
    flow: Any = SimpleNamespace(write_paused=False, resume_reading=lambda: None)
    log: Any = None
    return Exchange(SCOPE, transport, flow, log, log, False, [], asyncio.Event(), False, True, lambda: None)  # type: ignore[arg-type]


async def test_an_application_that_returns_without_an_answer_is_told_of_and_is_500() -> None:
    async def silent(*_: Any) -> None: ...

    transport = Transport()
    with capture_logs() as logs:
        await exchange(transport).run_asgi(silent)
    assert (transport.written[:13], transport.closed) == (b"HTTP/1.1 500 ", False)
    assert [each["event"] for each in logs] == ["request.failed"]


@pytest.mark.parametrize(("fails", "told"), [(False, []), (True, ["request.failed"])], ids=["returns", "raises"])
async def test_after_half_an_answer_the_connection_ends(fails: bool, told: list[str]) -> None:
    async def half(_: Any, __: Any, send: Any) -> None:
        await send(START)
        await send(HALF)
        if fails:
            raise ValueError

    transport = Transport()
    with capture_logs() as logs:
        await exchange(transport).run_asgi(half)
    assert (transport.written[-3:], transport.closed) == (b"abc", True)
    assert [each["event"] for each in logs] == told


async def test_who_has_gone_is_not_answered_and_it_is_no_error() -> None:
    made = exchange(transport := Transport())

    async def left(*_: Any) -> None:
        made.disconnected = True

    with capture_logs() as logs:
        await made.run_asgi(left)
    assert (transport.written, logs) == (b"", [])


async def test_what_is_cancelled_before_its_answer_closes_its_connection() -> None:
    running = asyncio.create_task(exchange(transport := Transport()).run_asgi(lambda *_: asyncio.Event().wait()))
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (transport.written, transport.closed, running.cancelled()) == (b"", True, True)
