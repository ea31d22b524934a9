"""The HTTP server of a service does nothing while nobody asks it, and dates what it answers."""

from __future__ import annotations

import asyncio
from email.utils import parsedate_to_datetime

import pytest
import uvicorn

from servicekit.web import server as module


async def test_a_server_that_nobody_asks_looks_at_no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    server, waits = module._Server(uvicorn.Config(lambda: None)), list[float]()
    monkeypatch.setattr(asyncio.get_running_loop(), "call_later", lambda delay, *_, **__: waits.append(delay))
    serving = asyncio.create_task(server.main_loop())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not serving.done()
    server.end()
    await serving
    assert waits == []


async def test_a_second_signal_does_not_wait_for_requests_in_flight() -> None:
    server = module._Server(uvicorn.Config(lambda: None))
    server.end()
    assert (server.should_exit, server.force_exit) == (True, False)
    server.end()
    assert server.force_exit


async def test_an_answer_has_the_date_of_its_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_700_000_000.9]
    monkeypatch.setattr(module.time, "time", lambda: now[0])
    state = module._Server(uvicorn.Config(lambda: None)).server_state
    for second in (1_700_000_000, 1_700_000_001):
        ((name, value),) = state.default_headers
        assert (name, parsedate_to_datetime(value.decode()).timestamp()) == (b"date", second)
        now[0] += 1
