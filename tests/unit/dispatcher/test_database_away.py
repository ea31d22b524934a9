"""What was sent while the database was away is not sent again when it is back."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from contracts.actions import MessageContent, PostWebhook, SendMessage
from contracts.cloudevents import now_text
from contracts.registry import Bot
from dispatcher.intake.actions_handler import NAME
from dispatcher.results import outcomes, recorder
from dispatcher.scheduling import claims
from support.deliveries import BOT, CHANNEL, KEYS, PROJECT, Registry, channel, project
from support.deliveries_in_memory import DeliveriesInMemory
from support.dispatcher_in_memory import NO_CONNECTION, PARTITION, PlayedHttp, dispatcher_in_memory
from support.waiting import eventually

ENTITIES = (
    project(),
    Bot(id=BOT, project_id=PROJECT, name="Conference"),
    channel(credentials={"token": "104117782:AAF0secretsecretsecretsecretsecret0", "secret_token": "s"}),
)
SENT = b'{"ok": true, "result": {"message_id": 5, "chat": {"id": 1, "type": "private"}, "date": 1}}'


class Away(DeliveriesInMemory):
    """A database that comes and goes, and whose clock is the test's."""

    def __init__(self) -> None:
        super().__init__(now=lambda: datetime.now(UTC) + self.later)
        self.away, self.later, self.refused = False, timedelta(0), 0

    def session(self) -> Any:
        self._refuse()
        return super().session()

    async def transaction(self, work: Any) -> Any:
        self._refuse()
        return await super().transaction(work)

    def _refuse(self) -> None:
        self.refused += self.away
        if self.away:
            raise ConnectionResetError("away")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recorder is the last to find that the database is back."""
    monkeypatch.setattr(recorder, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(claims, "EVERY_SECONDS", 0.005)
    monkeypatch.setattr(claims, "GRACE_SECONDS", 0.4)


def base(peer: str = "p1") -> dict[str, Any]:
    now = now_text()
    return {
        "id": str(uuid4()), "project_id": PROJECT, "bot_id": BOT,
        "conversation": f"{BOT}/{CHANNEL}/{peer}", "day": now[:10], "created_at": now,
    }  # fmt: skip


def say(seq: int) -> SendMessage:
    return SendMessage(
        **base(), channel_id=CHANNEL, channel_type="telegram", peer_id="p1", seq=seq,
        content=MessageContent(text=f"text {seq}"), expires_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat(),
    )  # fmt: skip


async def test_an_outcome_that_waits_is_not_sent_again_when_its_partition_is_taken_anew() -> None:
    """As after any failed transaction of the partition: its loop takes it over again, and with it its lanes."""
    store = Away()
    http = PlayedHttp(lambda url, _: (200, SENT))
    async with dispatcher_in_memory(http, Registry(*ENTITIES), keys=KEYS, store=store) as dispatcher:
        await dispatcher.act(say(1), say(2))
        store.away = True
        await eventually(lambda: len(http.requests) == 1)
        dispatcher.works.takeover.leave(NAME, [PARTITION])
        await dispatcher.works.takeover.take(NAME, [PARTITION], NO_CONNECTION)
        store.away = False
        await eventually(lambda: {row.state for row in store.tables.rows.values()} == {"succeeded"})
    assert [b"text 1" in body for _, _, body in http.requests] == [True, False]


async def test_what_is_in_hand_while_its_partition_goes_to_another_dispatcher_is_sent_by_both_and_in_order() -> None:
    """The next owner cannot know whether its predecessor lives (guarantees.md 3.4)."""
    store, http = Away(), PlayedHttp(lambda url, _: (200, SENT))
    async with AsyncExitStack() as running:
        first, second = [
            await running.enter_async_context(dispatcher_in_memory(http, Registry(*ENTITIES), keys=KEYS, store=store))
            for _ in range(2)
        ]
        second.works.takeover.leave(NAME, [PARTITION])
        await first.act(say(1), say(2))
        store.away = True
        await eventually(lambda: len(http.requests) == 1)
        first.works.takeover.leave(NAME, [PARTITION])
        await second.works.takeover.take(NAME, [PARTITION], NO_CONNECTION)
        store.away = False
        await eventually(lambda: {row.state for row in store.tables.rows.values()} == {"succeeded"})
    assert [number for _, _, body in http.requests for number in (1, 2) if b"text %d" % number in body] == [1, 1, 2]


@pytest.mark.parametrize("replicas", [1, 2])
async def test_an_outcome_whose_lease_ran_out_while_it_waited_is_saved_before_anybody_claims(replicas: int) -> None:
    store, http = Away(), PlayedHttp(lambda url, _: (200, b""))
    hook = PostWebhook(**base(), url="https://hooks.example.com/x", title="x", timestamp=now_text(), data={})
    async with AsyncExitStack() as running:
        first, *_ = [
            await running.enter_async_context(dispatcher_in_memory(http, Registry(*ENTITIES), keys=KEYS, store=store))
            for _ in range(replicas)
        ]
        await first.act(hook)
        store.away = True
        await eventually(lambda: len(http.requests) == 1)
        await eventually(lambda: store.refused > 3 * replicas)  # Everybody has noticed.
        store.later, store.away = timedelta(minutes=5), False
        await eventually(lambda: {row.state for row in store.tables.rows.values()} == {"succeeded"})
    assert len(http.requests) == 1


async def test_while_the_database_is_away_so_many_results_wait_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "MOST", 10)
    store, http = Away(), PlayedHttp(lambda url, _: (200, b""))
    async with dispatcher_in_memory(http, Registry(*ENTITIES), keys=KEYS, store=store) as dispatcher:
        await dispatcher.act(
            *(
                PostWebhook(
                    **base(), url=f"https://hooks.example.com/{number}", title="x", timestamp=now_text(), data={}
                )
                for number in range(200)
            )
        )
        store.away = True
        await eventually(lambda: store.refused > 20)
        assert 10 <= len(http.requests) < 150
        store.away = False
        await eventually(lambda: {row.state for row in store.tables.rows.values()} == {"succeeded"})
    assert len(http.requests) == 200
