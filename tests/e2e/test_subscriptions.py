"""What a bot's subscribers hear, on the whole stack: of all that a person does, of a step, and of chosen events of a project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from operations.api import Api
from support.fake_telegram import BOT_ID, FakeTelegram, fake_telegram
from support.ground import Ground
from support.receiver import Receiver, receiver
from support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="package")
PERSON = 104117781
TITLES = {
    "bot.subscribed": "new_subscriber",
    "message.received": "incoming_message",
    "live_chat.opened": "open_chat",
    "flow.launched": "run_custom_flow",
    "redirect.followed": "link_click",
    "bot.unsubscribed": "unsubscribe",
    "bot.blocked": "bot_block",
}
"""The choice of a bot-level subscription, each with SendPulse's title."""
CHOSEN = {"agent.logged_in", "contact.updated", "flag.assigned"}
SHOP = "https://shop.example.com/offer"


def flow(url: str) -> dict[str, Any]:
    told = {"type": "send_webhook", "format": "sendpulse"}
    buttons = [{"id": "open", "title": "Open", "url": SHOP, "track": True}]
    return {
        "schema": "flow/1",
        "slug": "offer",
        "name": "Offer",
        "start": "offer",
        "triggers": [
            {"id": "start", "type": "command", "value": "/start", "to": "offer"},
            {"id": "human", "type": "keyword", "any": ["human"], "to": "human"},
        ],
        "nodes": {
            "offer": {"type": "say", "parts": [{"text": "See", "buttons": buttons}], "ports": {"next": "told"}},
            "told": {**told, "title": "Offered to {{ user.name }}", "url": f"{url}/step", "ports": {"next": "lost"}},
            "lost": {**told, "title": "Lost", "url": f"{url}/gone", "ports": {"next": "flag"}},
            "flag": {"type": "flag", "add": ["offered"]},
            "human": {"type": "live_chat", "queue": "Sales", "text": "A colleague is coming."},
        },
    }


@dataclass
class Scene:
    """A bot on Telegram, a person who talks to it, and who hears of it."""

    http: httpx.AsyncClient
    telegram: FakeTelegram
    hears: Receiver
    channel: dict[str, Any]
    updates: int = 0

    async def post(self, update: dict[str, Any]) -> None:
        """As Telegram does."""
        headers = {"x-telegram-bot-api-secret-token": self.channel["secret_token"]}
        answer = await self.http.post(self.channel["inbound_url"], json=update, headers=headers)
        assert answer.status_code == 200, answer.text

    async def say(self, text: str, answer: str) -> None:
        """The person's message; returns when the bot has answered so."""
        self.updates += 1
        await self.post(self.telegram.text_update(self.updates, PERSON, text))
        await eventually(lambda: any(said["text"].startswith(answer) for said in self.telegram.messages))

    def bodies(self, path: str) -> list[Any]:
        return [request.json() for request in self.hears.requests_to(path)]


async def test_a_bots_subscriber_hears_all_that_a_person_does_and_of_steps_and_chosen_events(ground: Ground) -> None:
    stack = ground.stack
    async with Api(stack.base_url, stack.secrets.admin_token) as operator:
        project = (await operator.post("/v1/projects", {"name": "subscriptions"}))["id"]
    async with (
        Api(stack.base_url, stack.secrets.admin_token, project) as api,
        httpx.AsyncClient(base_url=stack.base_url, trust_env=False) as http,
        fake_telegram() as telegram,
        receiver() as hears,
    ):
        hears.answer("/gone", 410)
        bot = (await api.post("/v1/bots", {"name": "Conference", "opt_out": {}}))["id"]
        of_telegram = {"type": "telegram", "name": "Telegram", "api_base_url": telegram.url}
        credentials = {"token": f"{telegram.bot_id}:subscriptions"}
        channel = await api.post("/v1/channels", {"bot": bot, "credentials": credentials, **of_telegram})
        handler = {"url": f"{hears.url}/bot", "bots": [bot], "events": list(TITLES), "format": "sendpulse"}
        await api.post("/v1/endpoints", handler)
        await api.post("/v1/endpoints", {"url": f"{hears.url}/chosen", "events": sorted(CHOSEN)})
        await api.publish_flow(bot, flow(hears.url))
        scene = Scene(http, telegram, hears, channel)
        await _person(scene)
        _all_titles(await eventually(lambda: _complete(scene)), bot)
        await _another_program(scene, api)


async def _person(scene: Scene) -> None:
    """Starts the bot, opens its link, unsubscribes, asks for a human, and blocks it."""
    await scene.say("/start", "See")
    [[button]] = scene.telegram.messages[0]["reply_markup"]["inline_keyboard"]
    opened = await scene.http.get(button["url"])
    assert (opened.status_code, opened.headers["location"]) == (302, SHOP)
    await scene.say("stop", "You are unsubscribed.")
    await scene.say("human", "A colleague is coming.")
    await scene.post(scene.telegram.member_update(99, PERSON, "kicked"))


def _complete(scene: Scene) -> list[dict[str, Any]]:
    """What came to the bot's handler: arrays of one object, of each title."""
    bodies = [one for (one,) in scene.bodies("/bot")]
    assert {one["title"] for one in bodies} == set(TITLES.values())
    return bodies


def _all_titles(bodies: list[dict[str, Any]], bot: str) -> None:
    for one in bodies:
        assert list(one) == ["info", "service", "title", "bot", "contact", "date"]
        assert (one["service"], one["bot"]["id"], one["bot"]["external_id"]) == ("telegram", bot, BOT_ID)
        assert one["contact"]["name"] == "Alex"
    infos = {one["title"]: one["info"] for one in bodies}
    assert infos["link_click"] == {"link": {"url": SHOP, "node": "offer"}}
    assert infos["run_custom_flow"]["flow"]["name"] == "Offer"
    assert infos["incoming_message"]["message"]["channel_data"]["message"]["text"] == "human"
    assert [infos[title] for title in ("new_subscriber", "open_chat", "unsubscribe", "bot_block")] == [None] * 4


async def _another_program(scene: Scene, api: Api) -> None:
    """Finds the person by the step's title, changes the profile, and hears of that, of the flag, and of an agent."""
    data = await api.post("/v1/tokens", {"name": "crm", "scopes": ["data:read", "data:write"]})
    crm = {"authorization": f"Bearer {data['token']}"}
    [[step]] = await eventually(lambda: scene.bodies("/step"))
    assert (step["title"], step["info"]) == ("Offered to Alex", None)

    async def listed(title: str) -> list[dict[str, Any]]:
        answer = await scene.http.get("/v1/contacts", params={"webhook_title": title}, headers=crm)
        return list(answer.json()["items"])

    [person] = await eventually(lambda: listed("Offered to Alex"))
    assert person["webhook_titles"] == ["Offered to Alex"]
    assert person["channels"][0]["state"] == "blocked"
    await eventually(lambda: scene.bodies("/gone"))
    assert await listed("Lost") == []
    path = f"/v1/contacts/{person['id']}"
    assert (await scene.http.patch(path, json={"city": "Riga"}, headers=crm)).status_code == 200
    kim = await api.post("/v1/agents", {"name": "Kim", "email": "kim@example.com"})
    token = (await api.post(f"/v1/agents/{kim['id']}/tokens", {}))["token"]
    online = {"json": {"state": "online"}, "headers": {"authorization": f"Bearer {token}"}}
    assert (await scene.http.post("/v1/conversations/presence", **online)).is_success

    def told() -> dict[str, Any]:
        found = {body["type"]: body["data"] for body in scene.bodies("/chosen")}
        assert found.keys() == CHOSEN
        return found

    pushed = await eventually(told)
    assert pushed["agent.logged_in"]["agent"]["name"] == "Kim"
    assert (pushed["flag.assigned"]["flag"], pushed["flag.assigned"]["contact"]["flags"]) == ("offered", ["offered"])
    changes = [body["data"] for body in scene.bodies("/chosen") if body["type"] == "contact.updated"]
    assert [(one["changed"], one["contact"]["city"]) for one in changes] == [(["profile.city"], "Riga")]
