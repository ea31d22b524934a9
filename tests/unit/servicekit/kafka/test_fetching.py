"""How long a fetch waits, and what ends it: without a broker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import KafkaConnectionError, RequestTimedOutError
from aiokafka.protocol.fetch import FetchRequest

from servicekit.kafka.inside_aiokafka import fetching

NOT_LEADER = 6
TP = TopicPartition("t", 0)


class Client:
    """A client whose broker answers each fetch with what was put last into `answers`, or holds it."""

    def __init__(self) -> None:
        self._conns: dict[Any, Any] = {}
        self.answers: list[Any] = []
        self.waits: list[int] = []

        self._more = asyncio.Condition()

    async def ask(self, request: Any) -> Any:
        return await self.send(1, request)

    async def ask_and_get(self, answer: Any) -> Any:
        self.answers.append(answer)
        return await self.ask(request())

    async def send(self, node: int, request: Any) -> Any:
        return await fetching.send(self, node, request)

    async def sent(self, count: int) -> None:
        """Return once so many requests were sent."""
        async with self._more:
            await self._more.wait_for(lambda: len(self.waits) >= count)

    async def note(self, waits: int) -> None:
        self.waits.append(waits)
        async with self._more:
            self._more.notify_all()


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    async def answer(self: Client, node: int, request: Any, *, group: Any) -> Any:
        await self.note(request._max_wait_ms)
        if not self.answers:
            await asyncio.Event().wait()
        said = self.answers.pop()
        if isinstance(said, Exception):
            raise said
        return SimpleNamespace(topics=[("t", [said])], API_VERSION=4)

    monkeypatch.setattr(fetching, "_send", answer)
    monkeypatch.setattr(fetching, "SILENT_SECONDS", 0.0)
    return Client()


def consumer_of(client: Client) -> fetching.Consumer:
    consumer = fetching.Consumer.__new__(fetching.Consumer)
    consumer._client = client
    fetching.gather(consumer, 0.0)
    return consumer


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


async def test_a_reader_of_one_partition_waits_long_also_right_after_records(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has come is taken before anything is fetched again: no fetch has to be ended for it."""
    fetching._of_client[client] = fetching._Fetches(of_one_partition=True)  # type: ignore[index]
    await client.ask_and_get(SOME)
    monkeypatch.setattr(fetching, "SILENT_SECONDS", 60.0)
    fetching._of_client[client].changed -= 61.0  # type: ignore[index]
    await client.ask_and_get(NOTHING)
    assert client.waits == [fetching.SILENT_WAIT_MS, fetching.SILENT_WAIT_MS]


class Fetching:
    """What such a reader's consumer sees of its fetching."""

    def __init__(self) -> None:
        self._records: dict[Any, Any] = {}
        self.error_future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiter: asyncio.Future[None] | None = None

    def _create_fetch_waiter(self) -> asyncio.Future[None]:
        self.waiter = asyncio.get_running_loop().create_future()
        return self.waiter


@pytest.mark.parametrize("event", ["waiter", "error_future"])
async def test_a_reader_of_one_partition_hears_of_what_came_without_a_record_and_of_the_end(
    client: Client, monkeypatch: pytest.MonkeyPatch, event: str
) -> None:
    async def nothing(self: Any, *_: Any) -> dict[Any, Any]:
        return {}

    monkeypatch.setattr(AIOKafkaConsumer, "getmany", nothing)
    consumer = fetching.OnePartitionConsumer.__new__(fetching.OnePartitionConsumer)
    consumer._client, consumer._fetcher = client, Fetching()
    taking = asyncio.create_task(consumer.getmany(timeout_ms=60_000))
    await asyncio.sleep(0)
    getattr(consumer._fetcher, event).set_result(None)
    async with asyncio.timeout(15):
        assert await taking == {}


async def test_where_a_log_ends_is_known_as_long_as_fetches_are_answered(client: Client) -> None:
    consumer = fetching.OnePartitionConsumer.__new__(fetching.OnePartitionConsumer)
    consumer._client = client
    consumer.last_stable_offset = lambda _: 5
    fetching.gather(consumer, 0.0)
    assert consumer.end_seen(TP, 6.0) is None
    await client.ask_and_get(NOTHING)
    assert consumer.end_seen(TP, 6.0) == 5
    fetching._of_client[client].answered -= 7.0  # type: ignore[index]
    assert consumer.end_seen(TP, 6.0) is None


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
    async with asyncio.timeout(15):
        await asyncio.wait([waiting])
    assert waiting.cancelled()


@pytest.mark.parametrize("fault", [KafkaConnectionError(), RequestTimedOutError()], ids=["lost", "slow"])
async def test_who_fetches_goes_on_after_a_fetch_that_fails_while_it_waits(client: Client, fault: Any) -> None:
    """aiokafka pauses after a failure, and ends its fetching without a word where that is cancelled."""
    client.answers, leader = [fault], SimpleNamespace(leader_for_partition=lambda _: 1)
    wanted = SubscriptionState()
    wanted.assign_from_user({TP})
    wanted.seek(TP, 5)
    fetcher = Fetcher(
        SimpleNamespace(_loop=asyncio.get_running_loop(), _metadata_max_age_ms=1000, cluster=leader, send=client.send),
        wanted,
        retry_backoff_ms=1,
    )
    async with asyncio.timeout(15):
        await asyncio.wait({fetcher.error_future, asyncio.create_task(client.sent(2))}, return_when="FIRST_COMPLETED")
    assert client.waits == [fetching.SILENT_WAIT_MS, fetching.SILENT_WAIT_MS]
    assert not fetcher.error_future.done()
    await fetcher.close()


async def test_room_is_made_also_by_what_has_come_without_any_record(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The markers of a transaction: a fetch that went out while they waited to be taken left their partition out."""

    async def nothing(self: Any, *_: Any) -> dict[Any, Any]:
        self._fetcher._records.clear()
        return {}

    monkeypatch.setattr(AIOKafkaConsumer, "getmany", nothing)
    consumer = consumer_of(client)
    consumer._fetcher = SimpleNamespace(_records={TP: object()})
    waiting = asyncio.create_task(client.ask(request()))
    await asyncio.sleep(0)
    assert await consumer.getmany() == {}
    async with asyncio.timeout(15):
        await asyncio.wait([waiting])
    assert waiting.cancelled()


@pytest.mark.parametrize("change", [lambda it: it.resume(TP), lambda it: it.seek(TP, 7)], ids=["resumed", "sought"])
async def test_a_fetch_that_was_made_before_a_partition_was_to_be_read_does_not_wait_long(
    client: Client, monkeypatch: pytest.MonkeyPatch, change: Callable[[fetching.Consumer], None]
) -> None:
    """aiokafka makes the request, then a task that sends it: what is resumed between the two is left out."""
    monkeypatch.setattr(AIOKafkaConsumer, "resume", lambda *_: None)
    monkeypatch.setattr(AIOKafkaConsumer, "seek", lambda *_: None)
    consumer = consumer_of(client)
    monkeypatch.setattr(fetching, "SILENT_SECONDS", 60.0)
    fetching._of_client[client].came -= 61.0  # type: ignore[index]
    fetching._of_client[client].changed -= 61.0  # type: ignore[index]
    client.answers = [NOTHING]
    sending = asyncio.create_task(client.ask(request()))
    change(consumer)
    await sending
    assert client.waits == [fetching.WAIT_MS]


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
