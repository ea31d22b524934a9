"""Streams of the inbox: one whose client reads nothing, and many that listen to the same."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import pytest

from flow_engine.store import inbox
from flow_engine.store.inbox import Asked
from flow_engine.web import inbox_stream
from flow_engine.web.inbox_stream import Looks, Streams, Watch
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


class Pool:
    """One that is asked, and has no rows."""

    @asynccontextmanager
    async def acquire(self) -> Any:
        yield None


async def test_those_who_listen_to_the_same_share_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Asked] = []

    async def versions(_: Any, asked: Asked) -> dict[str, int]:
        looked.append(asked)
        return {}

    monkeypatch.setattr(inbox, "versions", versions)
    pool: Any = Pool()
    looks, mine = Looks(60.0), Asked("b", owner="kim")
    watches = [Watch(lambda: pool, asked, lambda _: {}, looks) for asked in (Asked("b"), mine) for _ in range(50)]
    for _ in range(3):
        await asyncio.gather(*(watch.changes() for watch in watches))
    assert looked == [Asked("b"), mine]
    alone = Watch(lambda: pool, mine, lambda _: {})
    await alone.changes()
    await alone.changes()
    assert looked[2:] == [mine, mine]
