"""The JSON that a user receives, on the whole stack: what was copied, and what is posted, is exactly the samples'."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from operations.api import Api
from support.fake_telegram import BOT_ID, FakeTelegram, fake_telegram
from support.ground import Ground
from support.receiver import Receiver, receiver
from support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="package")
SAMPLES = Path(__file__).parents[1] / "samples"
PERSON, MAINTAINER = 104117781, 104117799
RUN = "run('/thanks', user_id=content['user'], content=content['order'])\nsend('told ' + content['user'])"


def sample(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text())


def flow(url: str) -> dict[str, Any]:
    """Asks for a lecture, notes what the samples show of the person, and tells it in both of SendPulse's formats."""
    contact = sample("sendpulse_legacy_send_webhook.json")["contact"]
    known = {f"user.{name}": contact[name] for name in ("email", "phone", "photo", "username")}
    tell = {"type": "send_webhook", "title": "Reserved. Lecture #{{ user.lecture }}"}
    return {
        "schema": "flow/1",
        "slug": "reserve-lecture",
        "name": "Reserve a lecture",
        "start": "ask",
        "triggers": [
            {"id": "hello", "type": "command", "value": "/start", "to": "ask"},
            {"id": "bought", "type": "webhook", "accept": {"order_id": "string!"}, "to": "paid"},
            {"id": "hook", "type": "command", "value": "/shop", "from": ["url"], "to": "for_somebody"},
            {"id": "thanks", "type": "command", "value": "/thanks", "from": ["url"], "to": "thanks"},
        ],
        "variables": {"order_id": {"type": "string", "scope": "memory"}},
        "nodes": {
            "ask": {"type": "ask", "text": "Which lecture?", "input": {"type": "text", "save_to": "user.lecture"},
                    "ports": {"ok": "known"}},
            "known": {"type": "set", "values": known, "ports": {"next": "tag"}},
            "tag": {"type": "tag", "add": ["reserved", "speaker"], "ports": {"next": "flag"}},
            "flag": {"type": "flag", "add": ["vip"], "ports": {"next": "tell"}},
            "tell": {**tell, "url": f"{url}/array", "format": "sendpulse", "ports": {"next": "tell_old"}},
            "tell_old": {**tell, "url": f"{url}/object", "format": "sendpulse_legacy", "ports": {"next": "reserve"}},
            "reserve": {"type": "say", "parts": [{"text": "It is yours."}], "push_profile": True},
            "paid": {"type": "say", "parts": [{"text": "Paid: {{ memory.order_id }}"}]},
            "for_somebody": {"type": "code", "source": RUN},
            "thanks": {"type": "say", "parts": [{"text": "Thank you for {{ event.content }}"}]},
        },
    }  # fmt: skip


@dataclass
class Scene:
    """A bot on Telegram, a person who talks with it, and who hears of it."""

    api: Api
    http: httpx.AsyncClient
    telegram: FakeTelegram
    hears: Receiver
    project: str
    bot: str
    channel: dict[str, Any]
    flow: dict[str, Any]
    updates: int = 0

    async def say(self, text: str) -> dict[str, Any]:
        """The person's message, as Telegram posts it."""
        self.updates += 1
        update = self.telegram.text_update(self.updates, PERSON, text)
        headers = {"x-telegram-bot-api-secret-token": self.channel["secret_token"]}
        answer = await self.http.post(self.channel["inbound_url"], json=update, headers=headers)
        assert answer.status_code == 200, answer.text
        return dict(update["message"])

    async def heard(self, text: str) -> None:
        await eventually(lambda: any(said["text"] == text for said in self.telegram.messages))

    async def received(self, path: str, **title: str) -> Any:
        """The first body that came there, of that title or type."""

        def found() -> Any:
            bodies = [request.json() for request in self.hears.requests_to(path)]
            of = [(body[0] if isinstance(body, list) else body, body) for body in bodies]
            return next((body for one, body in of if title.items() <= one.items()), None)

        return await eventually(found)

    @property
    def shown_bot(self) -> dict[str, Any]:
        url = "https://t.me/conference_bot"
        return {"url": url, "external_id": BOT_ID, "id": self.bot, "name": "Conference"}


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def scene(module_ground: Ground) -> AsyncIterator[Scene]:
    stack = module_ground.stack
    async with Api(stack.base_url, stack.secrets.admin_token) as operator:
        project = (await operator.post("/v1/projects", {"name": "Samples"}))["id"]
    async with (
        Api(stack.base_url, stack.secrets.admin_token, project) as api,
        httpx.AsyncClient(base_url=stack.base_url, trust_env=False) as http,
        fake_telegram() as telegram,
        receiver() as hears,
    ):
        bot = (await api.post("/v1/bots", {"name": "Conference"}))["id"]
        credentials = {"token": f"{telegram.bot_id}:samples"}
        of_telegram = {"type": "telegram", "name": "Telegram", "api_base_url": telegram.url}
        channel = await api.post("/v1/channels", {"bot": bot, "credentials": credentials, **of_telegram})
        for path, format, events in (
            ("/chosen", "sendpulse", ["bot.subscribed", "message.received", "flow.launched"]),
            ("/project", "switchhook", ["profile.pushed"]),
        ):
            await api.post("/v1/endpoints", {"url": hears.url + path, "format": format, "events": events})
        published = await api.publish_flow(bot, flow(hears.url))
        made = Scene(api, http, telegram, hears, project, bot, channel, published)
        await made.say("/start")
        await made.heard("Which lecture?")
        await made.say("3")
        await made.heard("It is yours.")
        yield made


def live(body: dict[str, Any], wanted: dict[str, Any], scene: Scene) -> dict[str, Any]:
    """The sample with what is of this run: ids and times."""
    contact = wanted["contact"] | {"id": body["contact"]["id"]}
    assert abs(time.time() - body["date"]) < 600, "seconds since 1970"
    return wanted | {"bot": scene.shown_bot, "contact": contact, "date": body["date"]}


async def test_a_step_posts_an_array_of_one_object(scene: Scene) -> None:
    [body] = await scene.received("/array")
    [wanted] = sample("sendpulse_send_webhook.json")
    assert body == live(body, wanted, scene)


async def test_the_older_shape_is_that_object(scene: Scene) -> None:
    body = await scene.received("/object")
    assert body == live(body, sample("sendpulse_legacy_send_webhook.json"), scene)
    assert (await scene.received("/array"))[0] == body


async def test_a_message_is_told_with_the_platforms_own_and_all_its_kinds(scene: Scene) -> None:
    said = await scene.say("Is lecture 3 still open?")

    def last() -> Any:
        bodies = [request.json() for request in scene.hears.requests_to("/chosen")]
        return next((b for b in bodies if b[0]["contact"]["last_message"] == said["text"]), None)

    [body] = await eventually(last)
    [wanted] = sample("sendpulse_incoming_message.json")
    assert body.keys() == wanted.keys()
    assert body["contact"].items() >= {"name": "Alex", "username": "alex", "last_message": said["text"]}.items()
    assert body.items() >= {"service": "telegram", "title": "incoming_message", "bot": scene.shown_bot}.items()
    message = body["info"]["message"]
    assert message.keys() == wanted["info"]["message"].keys()
    assert message["channel_data"]["message_id"] == str(said["message_id"])
    shown = message["channel_data"]["message"]
    assert {name: shown[name] for name in said} == said
    assert {name for name, value in shown.items() if value is None} >= {"photo", "document", "voice", "sticker", "poll"}
    event = await scene.api.get(f"/v1/events/{message['id']}")
    assert event["event_id"] == message["id"]


async def test_subscriptions_have_sendpulses_titles(scene: Scene) -> None:
    [subscribed] = await scene.received("/chosen", title="new_subscriber")
    [launched] = await scene.received("/chosen", title="run_custom_flow")
    assert (subscribed["info"], launched["info"]) == (
        None, {"flow": {"id": scene.flow["id"], "name": "Reserve a lecture"}}
    )  # fmt: skip


async def test_the_profile_is_pushed_to_the_projects_webhook(scene: Scene) -> None:
    body = await scene.received("/project", type="profile.pushed")
    wanted = sample("profile_pushed.json")
    contact = {name: value for name, value in wanted["data"]["contact"].items() if name != "external_id"}
    assert body.keys() == wanted.keys()
    assert body["data"].keys() >= wanted["data"].keys()
    assert (
        body["data"]["contact"].items()
        >= (contact | {"id": body["data"]["contact"]["id"], "tags": ["reserved", "speaker"]}).items()
    )
    assert body["data"]["bot"] == {"id": scene.bot, "name": "Conference"}
    assert body["data"]["channel"].items() >= {"id": scene.channel["id"], "type": "telegram"}.items()
    assert body["data"]["flow"].items() >= {"slug": "reserve-lecture", "version": 1}.items()
    assert body["data"]["node"] == "reserve"


async def test_the_body_to_copy_starts_the_flow_as_it_is(scene: Scene) -> None:
    """`peer_id` is the caller's to fill in for a person, and the hint says so."""
    entry = {"flow": scene.flow["id"], "entry": "bought", "channel_id": scene.channel["id"], "new_token": {"name": "s"}}
    trigger = await scene.api.post("/v1/triggers", entry)
    copied = trigger["body_example"]
    assert (copied["token"], copied["variables"].keys()) == (trigger["token"], {"order_id"})
    assert "peer_id" in trigger["hint"]
    answer = await scene.http.post(trigger["url"], json=copied | {"peer_id": str(PERSON)})
    assert (answer.status_code, answer.json()["status"]) == (202, "started"), answer.text
    await scene.heard(f"Paid: {copied['variables']['order_id']}")


async def test_a_global_url_runs_a_command_for_who_is_named_in_its_content(scene: Scene) -> None:
    url = (await scene.api.post("/v1/hook-urls", {"bot": scene.bot, "command": "/shop"}))["url"]
    answer = await scene.http.post(url, json={"user": str(PERSON), "order": "A-80"})
    assert (answer.status_code, answer.json()) == (200, {"answer": f"told {PERSON}"})
    await scene.heard("Thank you for A-80")
