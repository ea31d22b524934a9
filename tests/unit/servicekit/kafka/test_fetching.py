"""How long a fetch waits, and what ends it: without a broker."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, RequestTimedOutError
from aiokafka.protocol.fetch import FetchRequest

from servicekit.kafka.inside_aiokafka import fetching

NOT_LEADER = 6


class Client:
    """A client whose broker answers each fetch with what was put last into `answers`, or holds it."""

    def __init__(self) -> None:
        self._conns: dict[Any, Any] = {}
        self.answers: list[Any] = []
        self.waits: list[int] = []

    async def ask(self, request: Any) -> Any:
        return await fetching.send(self, 1, request)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    async def answer(self: Client, node: int, request: Any, *, group: Any) -> Any:
        self.waits.append(request._max_wait_ms)
        if not self.answers:
            await asyncio.Event().wait()
        said = self.answers.pop()
        if isinstance(said, Exception):
            raise said
        return SimpleNamespace(topics=[("t", [said])], API_VERSION=4)

    monkeypatch.setattr(fetching, "_send", answer)
    monkeypatch.setattr(fetching, "SILENT_SECONDS", 0.0)
    return Client()


def request(min_bytes: int = 1) -> FetchRequest:
    return FetchRequest(fetching.WAIT_MS, min_bytes, 1024, 0, [])


NOTHING, SOME = (0, 0, 5, b""), (0, 0, 5, b"records")


async def test_a_fetch_waits_long_once_nothing_has_come_for_a_while(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "SILENT_SECONDS", 60.0)
    client.answers = [NOTHING]
    await client.ask(request())
    monkeypatch.setattr(fetching, "SILENT_SECONDS", 0.0)
    client.answers = [SOME]
    await client.ask(request())
    monkeypatch.setattr(fetching, "SILENT_SECONDS", 60.0)
    client.answers = [NOTHING]
    await client.ask(request())
    assert client.waits == [fetching.WAIT_MS, fetching.SILENT_WAIT_MS, fetching.WAIT_MS]


async def test_one_that_collects_records_waits_as_long_as_it_says(client: Client) -> None:
    client.answers = [NOTHING]
    await client.ask(request(min_bytes=1024))
    assert client.waits == [fetching.WAIT_MS]


@pytest.mark.parametrize(
    "fault", [KafkaConnectionError(), RequestTimedOutError(), (0, NOT_LEADER, 5, b"")], ids=["lost", "slow", "moved"]
)
async def test_a_fetch_that_fails_ends_the_one_that_waits_at_another_broker(client: Client, fault: Any) -> None:
    """The partitions of the one may be the other's by then."""
    waiting = asyncio.create_task(client.ask(request()))
    await asyncio.sleep(0)
    client.answers = [fault]
    await asyncio.gather(client.ask(request()), return_exceptions=True)
    async with asyncio.timeout(1):
        await asyncio.wait([waiting])
    assert waiting.cancelled()


async def test_the_connection_of_a_fetch_that_is_ended_is_closed(client: Client) -> None:
    closed: list[str] = []
    client._conns = {(1, fetching.FETCHES): SimpleNamespace(close=lambda: closed.append("fetches"))}
    waiting = asyncio.create_task(client.ask(request()))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert closed == ["fetches"]


async def test_what_comes_soon_after_records_comes_with_one_fetch(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, slept = [50.0], list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(round(seconds, 6))
        now[0] += seconds

    monkeypatch.setattr(fetching, "time", SimpleNamespace(monotonic=lambda: now[0]))
    fetching.gather(SimpleNamespace(_client=client), 0.016)  # type: ignore[arg-type]
    now[0] += 1
    monkeypatch.setattr(fetching.asyncio, "sleep", sleep)
    client.answers = [NOTHING, SOME, SOME]
    await client.ask(request())
    assert slept == []  # Nothing had come for a second.
    now[0] += 0.01
    await client.ask(request())
    assert slept == [0.006]
    await client.ask(request())
    assert slept == [0.006, 0.016]
    now[0] += 0.016
    client.answers = [NOTHING, (0, 0, 5, bytes(fetching.MUCH))]
    await client.ask(request())
    await client.ask(request())
    assert slept == [0.006, 0.016]  # Who is behind goes on at once.
