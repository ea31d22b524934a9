"""What begins flows, what a language model did in a conversation, and simulations: on the whole stack, in one bot."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import orjson
import pytest
import pytest_asyncio

from contracts.cloudevents import rfc3339
from contracts.registry import EntityRecord
from flow_engine.state.ids import conversation_id
from operations.api import Api
from registry.store import publications
from support.fake_model import FakeModel, calls, completion, fake_model
from support.fake_telegram import FakeTelegram, fake_telegram
from support.ground import Ground
from support.receiver import Receiver, receiver
from support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="package")
KEY = "Bearer sk-planted-secret-value"
BUTTONS = [
    {"id": "hours", "title": "Opening hours", "payload": "hours"},
    {"id": "book", "title": "A book", "payload": "order:17"},
]
SHOP: dict[str, Any] = {
    "schema": "flow/1",
    "slug": "shop",
    "name": "Shop",
    "start": "menu",
    "triggers": [
        {"id": "menu", "type": "command", "value": "/menu", "to": "menu"},
        {"id": "hours", "type": "button", "payload": "hours", "to": "hours"},
        {"id": "order", "type": "button", "prefix": "order:", "to": "order"},
        {"id": "came", "type": "event", "name": "bot.subscribed", "to": "came"},
        {"id": "vip", "type": "event", "name": "tag.added", "when": "event.tag == 'vip'", "to": "vip"},
        {"id": "ask", "type": "command", "value": "/ask", "to": "ask"},
    ],
    "nodes": {
        "menu": {"type": "say", "parts": [{"text": "What may it be?", "buttons": BUTTONS}]},
        "hours": {"type": "say", "parts": [{"text": "From 9 to 18."}]},
        "order": {"type": "tag", "add": ["vip"], "ports": {"next": "ordered"}},
        "ordered": {"type": "say", "parts": [{"text": "You want {{ event.content }}."}]},
        "came": {"type": "say", "parts": [{"text": "Nice to meet you, {{ user.name }}."}]},
        "vip": {"type": "say", "parts": [{"text": "You are one of our best customers."}]},
        "ask": {"type": "ai", "model": "main", "tools": ["stock"], "say": True, "ports": {"error": "sorry"}},
        "sorry": {"type": "say", "parts": [{"text": "Sorry: {{ temp.error.type }}"}]},
    },
}
CLOCK: dict[str, Any] = {
    "schema": "flow/1",
    "slug": "clock",
    "name": "Clock",
    "start": "tell",
    "triggers": [{"id": "minutes", "type": "schedule", "cron": "* * * * *", "to": "tell"}],
    "nodes": {"tell": {"type": "say", "parts": [{"text": "It is {{ event.variables.moment }}"}]}},
}


PUBLISHED = """
UPDATE entity SET version = version + 1, data = jsonb_set(data, '{published_at}', to_jsonb($2::text))
 WHERE kind = 'flow' AND id = $1 RETURNING project_id, version, data
"""


@dataclass
class Shop:
    """A bot on Telegram, and what it asks."""

    http: httpx.AsyncClient
    api: Api
    telegram: FakeTelegram
    llm: FakeModel
    stock: Receiver
    channel: dict[str, Any]
    registry: str
    """The DSN of its tables."""
    updates: int = 0

    async def post(self, update: dict[str, Any]) -> None:
        headers = {"x-telegram-bot-api-secret-token": self.channel["secret_token"]}
        answer = await self.http.post(self.channel["inbound_url"], json=update, headers=headers)
        assert answer.status_code == 200, answer.text

    async def say(self, person: int, text: str) -> None:
        self.updates += 1
        await self.post(self.telegram.text_update(self.updates, person, text))

    async def tap(self, person: int, title: str) -> None:
        """On a button of that title, by the data that Telegram was given for it."""
        self.updates += 1
        rows = [
            row for body in self.telegram.messages for row in body.get("reply_markup", {}).get("inline_keyboard", ())
        ]
        data = {button["text"]: button["callback_data"] for row in rows for button in row}[title]
        await self.post(self.telegram.callback_update(self.updates, person, data))

    def told(self, person: int) -> list[str]:
        """But for the time."""
        said = [body["text"] for body in self.telegram.messages if body["chat_id"] == person]
        return [text for text in said if not text.startswith("It is ")]

    def moments(self) -> list[tuple[int, str]]:
        """Who was told the time, and which."""
        said = [(body["chat_id"], body["text"]) for body in self.telegram.messages]
        return [each for each in said if each[1].startswith("It is ")]

    async def hears(self, person: int, *texts: str) -> None:
        await eventually(lambda: self.told(person) == list(texts))


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def shop(module_ground: Ground) -> AsyncIterator[Shop]:
    stack = module_ground.stack
    async with Api(stack.base_url, stack.secrets.admin_token) as operator:
        project = (await operator.post("/v1/projects", {"name": "flow language"}))["id"]
    async with (
        Api(stack.base_url, stack.secrets.admin_token, project) as api,
        httpx.AsyncClient(base_url=stack.base_url, trust_env=False, timeout=30) as http,
        fake_telegram() as telegram,
        fake_model() as llm,
        receiver() as stock,
    ):
        bot = (await api.post("/v1/bots", {"name": "shop"}))["id"]
        of_telegram = {"type": "telegram", "name": "Telegram", "api_base_url": telegram.url}
        channel = await api.post(
            "/v1/channels", {"bot": bot, "credentials": {"token": f"{telegram.bot_id}:language"}, **of_telegram}
        )
        await api.post("/v1/secrets", {"name": "llm", "value": KEY})
        main = {"kind": "model", "name": "main", "url": llm.url, "model": "small", "auth": "secret.llm"}
        await api.post("/v1/api-calls", main)
        look = {"name": "stock", "method": "GET", "url": f"{stock.url}/stock", "parameters": {"book": "string!"}}
        await api.post("/v1/api-calls", look)
        await api.publish_flow(bot, SHOP)
        token = await api.post("/v1/tokens", {"name": "author", "scopes": ["admin", "data:read"]})
        http.headers["authorization"] = f"Bearer {token['token']}"
        yield Shop(http, api, telegram, llm, stock, channel, stack.dsn("registry"))


async def test_taps_and_what_has_happened_begin_flows(shop: Shop) -> None:
    """A person comes, taps twice, and gets a tag by that."""
    first = ["What may it be?", "Nice to meet you, Alex."]
    await shop.say(1, "/menu")
    await shop.hears(1, *first)
    await shop.tap(1, "A book")
    second = ["You want 17.", "You are one of our best customers."]
    await shop.hears(1, *first, *second)
    await shop.tap(1, "Opening hours")  # Of a message whose buttons are used.
    await shop.say(1, "/menu")
    await shop.hears(1, *first, *second, "What may it be?")
    await shop.tap(1, "Opening hours")
    await shop.hears(1, *first, *second, "What may it be?", "From 9 to 18.")


async def test_the_trace_of_a_turn_with_a_model_has_nodes_ports_calls_and_tokens_and_no_secret(shop: Shop) -> None:
    shop.llm.answers = [calls(("c1", "stock", {"book": "17"})), completion(f"Two are left. My key is {KEY}.")]
    shop.stock.answer("/stock", 200, {"left": 2})
    await shop.say(2, "/ask")
    await eventually(lambda: "Two are left. My key is [hidden]." in shop.told(2))
    (asked,) = shop.stock.requests
    assert asked.query == {"book": "17"}
    conversation = conversation_id(f"{shop.channel['bot_id']}/{shop.channel['id']}/2")
    answer = await shop.http.get(f"/v1/conversations/{conversation}/trace")
    turns = [turn for turn in reversed(answer.json()["items"]) if turn["nodes"][0]["node"] == "ask"]
    tokens = {"input": 100, "output": 20}
    assert [[(one["node"], one["port"], one["tool"], one["tokens"]) for one in turn["nodes"]] for turn in turns] == [
        [("ask", None, None, None)], [("ask", None, "stock", tokens)], [("ask", None, None, None)], [("ask", "ok", None, tokens)],
    ]  # fmt: skip
    assert [[(call["kind"], call["name"]) for call in turn["calls"]] for turn in turns] == [
        [("ask_model", "main")], [("call_api", "stock")], [("ask_model", "main")], [],
    ]  # fmt: skip
    answers = [turn["answer"] for turn in turns[1:]]
    assert [(one["call"], one["outcome"], one["status"]) for one in answers] == [
        (turn["calls"][0]["id"], "ok", 200) for turn in turns[:3]
    ]
    assert "sk-planted" not in answer.text


async def test_a_simulation_says_what_would_be_done_and_does_nothing(shop: Shop) -> None:
    """The answer of a call is given; pictures and cards are among what is said; what is wrong names its field."""
    cards = [
        {
            "title": "Tea",
            "image": "https://shop.example.com/tea.png",
            "buttons": [{"id": "tea", "title": "Buy", "to": "look"}],
        }
    ]
    draft = SHOP | {"triggers": SHOP["triggers"][:1], "nodes": {
        "menu": {"type": "say", "parts": [{"image": "https://shop.example.com/all.png", "text": "All"}, {"text": "One?", "cards": cards}]},
        "look": {"type": "call_api", "api": "stock", "params": {"book": "17"}, "ports": {"ok": "bye", "error": "bye", "timeout": "bye"}},
        "bye": {"type": "say", "parts": [{"text": "Bye."}]},
    }}  # fmt: skip
    asked = {"document": draft, "given": {"answers": {"look": {"body": {"responses": ["Two are left."]}}}}}
    steps = [{"say": "/menu"}, {"tap": "Buy", "expect": {"says": ["Two are left.", "Bye."]}}]
    before = len(shop.stock.requests)
    answer = await shop.http.post("/v1/simulate", json={**asked, "steps": steps})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["problems"] == []
    shown, bought = [[each for turn in step["turns"] for each in turn["effects"]] for step in told["steps"]]
    said = [each for each in shown if each["effect"] == "say"]
    assert [each.get("text") for each in said] == ["All", "One?", "Tea"]  # Telegram shows a card as a message.
    assert "https://shop.example.com/all.png" in str(said[0])
    assert "https://shop.example.com/tea.png" in str(said[2])
    (call,) = [each for each in bought if each["effect"] == "call_api"]
    assert (call["api"], call["params"]) == ("stock", {"book": "17"})
    for wrong, pointer in (
        ({**asked, "steps": [{"say": 1}]}, "#/steps/0/say"),
        ({"document": draft | {"start": "nowhere"}, "steps": steps}, "#/document/start"),
        ({"flow": "nothing", "steps": steps}, "#/flow"),
    ):
        refused = await shop.http.post("/v1/simulate", json=wrong)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer), refused.text
    assert len(shop.stock.requests) == before
    assert not [body for body in shop.telegram.messages if body["text"] in ("One?", "Tea", "Bye.")]


async def test_a_moment_of_a_schedule_reaches_each_contact_once(shop: Shop) -> None:
    await shop.say(3, "/menu")
    await eventually(lambda: "What may it be?" in shop.told(3))
    # Not before the person is there: a moment between the two would be settled without them.
    clock = (await shop.api.publish_flow(shop.channel["bot_id"], CLOCK))["id"]
    await _published_a_minute_ago(shop, clock)
    first = await eventually(lambda: next((text for person, text in shop.moments() if person == 3), None))
    moment = first.removeprefix("It is ")
    assert datetime.fromisoformat(moment).second == 0
    listed = (await shop.http.get("/v1/broadcasts", params={"limit": 100})).json()["items"]
    assert [one["state"] for one in listed if one["moment"] == moment] in (["running"], ["completed"])
    assert set(Counter(shop.moments()).values()) == {1}
    await shop.api.delete(f"/v1/flows/{clock}")


async def _published_a_minute_ago(shop: Shop, flow: str) -> None:
    """That flow: its first moment is over then, and need not be waited for."""
    connection = await asyncpg.connect(shop.registry)
    try:
        async with connection.transaction():
            ago = rfc3339(datetime.now(UTC) - timedelta(minutes=1))
            project, version, data = await connection.fetchrow(PUBLISHED, flow, ago)
            generation = await publications.generation(connection)
            record = EntityRecord(
                kind="flow", id=flow, project_id=project, generation=generation, version=version, data=orjson.loads(data)
            )  # fmt: skip
            await publications.add_record(connection, record)
    finally:
        await connection.close()
