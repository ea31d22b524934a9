"""What one project's deliveries come to is nothing to another's, nor one person's to the bot's other people."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest
from multidict import CIMultiDict

from contracts.actions import (
    AcknowledgeTap,
    ActionBase,
    CallApi,
    ChannelCall,
    HttpRequest,
    MessageContent,
    PostWebhook,
    SendMessage,
)
from contracts.cloudevents import now_text
from contracts.inbound import ReplyTo
from contracts.registry import Bot
from dispatcher.scheduling.replicas import Replicas
from servicekit.http_client.guarded_http import Answer
from support.deliveries import (
    API_CALL,
    BOT,
    CHANNEL,
    KEYS,
    PROJECT,
    Registry,
    api_call,
    channel,
    project,
    secret,
)
from support.dispatcher_in_memory import DispatcherInMemory, PlayedHttp, dispatcher_in_memory
from support.waiting import eventually

THEIRS = "project-2"
HOST = "https://hooks.example.com"
TOKEN = "104117782:AAF0secretsecretsecretsecretsecret0"
ENTITIES = (
    project(),
    project(THEIRS),
    Bot(id=BOT, project_id=PROJECT, name="Conference"),
    channel(credentials={"token": TOKEN, "secret_token": "s"}),
    api_call(auth_secret="api-key"),
    secret("api-key", "Bearer SECRET"),
)


def base(project_id: str = PROJECT, peer: str = "p1") -> dict[str, Any]:
    now = now_text()
    return {
        "id": str(uuid4()), "project_id": project_id, "bot_id": BOT if project_id == PROJECT else "bot-2",
        "conversation": f"{BOT}/{CHANNEL}/{peer}", "day": now[:10], "created_at": now,
    }  # fmt: skip


def post(path: str, project_id: str = PROJECT, **more: Any) -> PostWebhook:
    given: dict[str, Any] = {"url": HOST + path, "title": "Reserved", "timestamp": now_text(), "data": {}}
    return PostWebhook(**(base(project_id) | given | more))


def say(peer: str, project_id: str = PROJECT, *, seq: int = 1, seconds: int = 300) -> SendMessage:
    return SendMessage(
        **base(project_id, peer), channel_id=CHANNEL, channel_type="telegram", peer_id=peer, seq=seq,
        content=MessageContent(text="Hello"), expires_at=(datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(),
    )  # fmt: skip


def states(dispatcher: DispatcherInMemory, *actions: ActionBase) -> list[str]:
    rows = {str(row.new.id): row.state for row in dispatcher.store.tables.rows.values()}
    return [rows[each.id] for each in actions]


def answered(status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> Answer:
    return Answer(status, CIMultiDict(headers or {}), body, 1)


@pytest.mark.parametrize(
    "junk", [answered(410), answered(503, {"retry-after": "3600"}), answered(429, {"retry-after": "3600"}), answered(500)],
    ids=["gone", "retry after", "too many", "failing"],
)  # fmt: skip
async def test_what_a_host_says_to_one_project_pauses_no_other(junk: Answer) -> None:
    http = PlayedHttp(lambda url, _: junk if "/junk" in url else (200, b""))
    async with dispatcher_in_memory(http, Registry(*ENTITIES), keys=KEYS) as dispatcher:
        bad = [post(f"/junk/{number}") for number in range(6)]
        await dispatcher.act(*bad)
        await eventually(lambda: "in_flight" not in states(dispatcher, *bad))
        good = post("/orders", THEIRS)
        await dispatcher.act(good)
        await eventually(lambda: states(dispatcher, good) == ["succeeded"])


@pytest.mark.parametrize("status", [301, 404, 410])
async def test_one_url_that_refuses_says_nothing_of_its_host(status: int) -> None:
    http = PlayedHttp(lambda url, _: (status, b"") if "/junk" in url else (200, b""))
    async with dispatcher_in_memory(http, Registry(*ENTITIES), keys=KEYS) as dispatcher:
        bad = [post(f"/junk/{number}") for number in range(6)]
        await dispatcher.act(*bad)
        await eventually(lambda: "in_flight" not in states(dispatcher, *bad))
        good = post("/orders")
        await dispatcher.act(good)
        await eventually(lambda: states(dispatcher, good) == ["succeeded"])


def flooded(peers: set[str], seconds: int = 60) -> Callable[[str, bytes], tuple[int, bytes]]:
    """A Telegram to which it is too much for these chats."""

    def answer(url: str, body: bytes) -> tuple[int, bytes]:
        if str(orjson.loads(body).get("chat_id")) not in peers:
            return 200, b'{"ok": true, "result": {"message_id": 17}}'
        told = {"error_code": 429, "description": f"Too Many Requests: retry after {seconds}"}
        return 429, orjson.dumps({"ok": False, **told, "parameters": {"retry_after": seconds}})

    return answer


async def test_a_chat_that_is_flooded_waits_alone_and_its_later_messages_with_it() -> None:
    http = PlayedHttp(flooded({"1"}))
    async with dispatcher_in_memory(http, Registry(*ENTITIES), keys=KEYS) as dispatcher:
        first, second = say("1"), say("1", seq=2)
        await dispatcher.act(first, second)
        await eventually(lambda: states(dispatcher, first, second) == ["retrying", "blocked"])
        others = [say(str(number)) for number in range(2, 8)]
        await dispatcher.act(*others)
        await eventually(lambda: states(dispatcher, *others) == ["succeeded"] * 6)
        assert len(http.requests) == 7


async def test_a_message_whose_time_ends_before_its_chats_wait_does_not_send_the_next_one_at_once() -> None:
    http = PlayedHttp(flooded({"1"}, seconds=600))
    async with dispatcher_in_memory(http, Registry(*ENTITIES), keys=KEYS) as dispatcher:
        told = [say("1", seq=number) for number in (1, 2, 3)]
        await dispatcher.act(*told)
        await eventually(lambda: states(dispatcher, *told) == ["exhausted", "pending", "blocked"])
        assert len(http.requests) == 1


async def test_three_chats_in_a_row_that_are_refused_are_the_whole_bot() -> None:
    http = PlayedHttp(flooded({"1", "2", "3"}))
    async with dispatcher_in_memory(http, Registry(*ENTITIES), keys=KEYS) as dispatcher:
        for peer in ("1", "2", "3"):
            refused = say(peer)
            await dispatcher.act(refused)
            await eventually(lambda refused=refused: states(dispatcher, refused) == ["retrying"])  # type: ignore[misc]  # bound at once
        waits = say("4")
        await dispatcher.act(waits)
        assert states(dispatcher, waits) == ["pending"]
        assert dispatcher.works.destinations.closed_for(f"channel:{CHANNEL}") > 50
        [known] = [each for name, each in dispatcher.store.tables.destinations.items() if name == f"channel:{CHANNEL}"]
        assert known.reason == "rate-limited"


async def test_flooded_chats_of_a_bot_that_serves_others_are_not_the_whole_bot() -> None:
    http = PlayedHttp(flooded({"1", "2", "3", "4"}))
    async with dispatcher_in_memory(http, Registry(*ENTITIES), keys=KEYS) as dispatcher:
        for peer in ("1", "2", "5", "3", "4", "6"):
            one = say(peer)
            await dispatcher.act(one)
            await eventually(lambda one=one: states(dispatcher, one) in (["retrying"], ["succeeded"]))  # type: ignore[misc]  # bound at once
        assert dispatcher.works.destinations.closed_for(f"channel:{CHANNEL}") == 0


async def test_what_one_replica_finds_out_about_a_bot_holds_for_the_other() -> None:
    http, registry = PlayedHttp(flooded({"1", "2", "3", "4"})), Registry(*ENTITIES)
    async with (
        dispatcher_in_memory(http, registry, keys=KEYS) as one,
        dispatcher_in_memory(http, registry, keys=KEYS, store=one.store) as other,
    ):
        for peer, dispatcher in (("1", one), ("2", one), ("3", other)):
            refused = say(peer)
            await dispatcher.act(refused)
            await eventually(lambda refused=refused: states(one, refused) == ["retrying"])  # type: ignore[misc]  # bound at once
        closed = [each.works.destinations.closed_for(f"channel:{CHANNEL}") for each in (one, other)]
        assert closed == [0, 0]
        await one.act(say("4"))
        async with asyncio.timeout(5):
            obeying = asyncio.create_task(Replicas(other.store, other.works.destinations, "other").run())
            await eventually(lambda: other.works.destinations.closed_for(f"channel:{CHANNEL}") > 50)
        obeying.cancel()
        await asyncio.gather(obeying, return_exceptions=True)
        asked = len(http.requests)
        await other.act(say("5"))
        assert len(http.requests) == asked


KEY = {"Authorization": "api-key"}
REPLY = ReplyTo(instance="a", partition=0, request_id="r")


@pytest.mark.parametrize(
    "forged",
    [
        lambda: say("1", THEIRS),
        lambda: AcknowledgeTap(**base(THEIRS), channel_id=CHANNEL, channel_type="telegram", callback_id="tap-1"),
        lambda: ChannelCall(**base(THEIRS), channel_id=CHANNEL, method="getMe", reply_to=REPLY),
        lambda: CallApi(**base(THEIRS), api_call_id=API_CALL, wait="w", channel_id=CHANNEL, peer_id="1"),
        lambda: post("/x", THEIRS, bot_id=BOT),
        lambda: HttpRequest(
            **base(THEIRS) | {"bot_id": BOT}, method="GET", url=HOST, secrets=KEY, timeout_seconds=1, wait="w"
        ),
    ],
    ids=["message", "tap", "channel call", "api call", "step webhook", "http request"],
)
async def test_an_action_of_one_project_sends_nothing_with_anothers_secrets(forged: Callable[[], ActionBase]) -> None:
    http = PlayedHttp(lambda url, _: (200, b"{}"))
    async with dispatcher_in_memory(http, Registry(*ENTITIES), keys=KEYS) as dispatcher:
        action = forged()
        await dispatcher.act(action)
        await eventually(lambda: states(dispatcher, action) == ["exhausted"])
        assert http.requests == []
        [row] = dispatcher.store.tables.rows.values()
        assert "belongs to another project" in (row.error or "")
        assert [note.code for note in row.notes] == ["other-project"]
