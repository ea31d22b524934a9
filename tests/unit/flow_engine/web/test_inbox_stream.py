"""A stream of the inbox whose client reads nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from flow_engine.store.inbox import Asked
from flow_engine.web import inbox_stream
from flow_engine.web.inbox_stream import Streams
from servicekit.web.problems import ProblemError

SCOPE = {"type": "http", "method": "GET", "path": "/v1/conversations", "headers": []}


async def never(*_: Any) -> Any:
    await asyncio.Event().wait()


def opened(streams: Streams) -> Any:
    return streams.answer("p", lambda: pytest.fail("nothing is looked for"), Asked("b"), lambda _: {}, never)


async def test_it_gives_its_place_back_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_stream, "MOST_STREAMS", 2)
    monkeypatch.setattr(inbox_stream, "STREAM_SECONDS", 0.05)
    monkeypatch.setattr(inbox_stream, "HEARTBEAT_SECONDS", 0.01)
    streams = Streams()
    began = asyncio.Event()

    async def send(_: Any) -> None:
        began.set()
        await never()

    stuck = asyncio.create_task(opened(streams)(SCOPE, never, send))
    await began.wait()
    with pytest.raises(ProblemError, match="too-many-requests"):
        opened(streams)
    async with asyncio.timeout(5):
        await stuck
    opened(streams)
