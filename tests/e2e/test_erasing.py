"""A person leaves traces everywhere, and is erased: on the whole stack, looked for in every table and every topic."""

from __future__ import annotations

from typing import Any

import asyncpg
import httpx
import pytest

from contracts import inbound
from contracts.topics import TOPICS
from operations.api import Api
from servicekit.kafka.publisher import KafkaPublisher
from servicekit.kafka.records import Outgoing
from support.ground import Ground
from support.ledger import read_all
from support.receiver import Receiver, receiver
from support.tables_of_people import holding
from support.waiting import eventually

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.seconds(60)]
NAME, PHONE, WORDS = "Zebulon Quibbleworth", "+4917099887766", "the-words-of-zebulon"
FLOW: dict[str, Any] = {
    "schema": "flow/1",
    "slug": "asks",
    "name": "Asks",
    "start": "call",
    "triggers": [
        {"id": "hello", "type": "command", "value": "/start", "to": "call"},
        {"id": "bought", "type": "webhook", "accept": {"note": "string"}, "to": "paid"},
    ],
    "variables": {"note": {"type": "string", "scope": "memory"}},
    "nodes": {
        "call": {"type": "call_api", "api": "look-up", "params": {}, "ports": {"ok": "report", "error": "report"}},
        "report": {"type": "send_webhook", "title": "About {{ user.name }}", "url": "", "ports": {"next": "ask"}},
        "ask": {
            "type": "ask",
            "text": "Well, {{ user.name }}?",
            "input": {"type": "text", "save_to": "user.answer"},
            "timeout": "PT1H",
            "ports": {"ok": "paid", "timeout": "paid"},
        },
        "paid": {"type": "say", "parts": [{"text": "Noted for {{ user.name }}: {{ memory.note }}"}]},
    },
}
SERVICES = {"flow-engine": "flow_engine", "dispatcher": "dispatcher", "registry": "registry"}


async def traces(ground: Ground, *texts: str) -> set[str]:
    """service/table of every table in which one of these texts stands."""
    found = set()
    for service, schema in SERVICES.items():
        async with asyncpg.create_pool(ground.stack.dsn(service), min_size=1, max_size=1) as pool:
            found |= {f"{service}/{table}" for table in await holding(pool, schema, *texts)}
    return found


async def topics_with(ground: Ground, *texts: str) -> set[str]:
    """Topics in whose records one of these texts stands."""
    cluster, found = ground.stack.cluster, set()
    wanted = [text.encode() for text in texts]
    for topic in TOPICS:
        for record in await read_all(cluster.servers, cluster.named(topic.name)):
            whole = (record.value or b"") + (record.key or b"")
            if any(text in whole for text in wanted):
                found.add(topic.name)
    return found


async def dead_letter(ground: Ground) -> None:
    """A record that nobody can read, with the person's name in it."""
    publisher = KafkaPublisher(ground.stack.cluster, client_id="test")
    await publisher.start()
    try:
        await publisher.publish(Outgoing(inbound.TOPIC.name, b"nobody", NAME.encode(), []))
    finally:
        await publisher.stop()


class Bot:
    """A bot with a flow that calls, reports and asks, and whom it talks to."""

    def __init__(self, api: Api, client: httpx.AsyncClient, crm: Receiver) -> None:
        self.api, self.client, self.crm = api, client, crm
        self.headers: dict[str, str] = {}
        self.trigger: dict[str, Any] = {}
        self.sessions = ""

    async def make(self) -> None:
        api, url = self.api, self.crm.url
        self.crm.answer("/look-up", 200, {"found": f"{NAME} lives here"})
        self.crm.answer("/down", 500)
        bot = (await api.post("/v1/bots", {"name": "shop"}))["id"]
        channel = await api.post("/v1/channels", {"bot": bot, "type": "webchat", "name": "site"})
        await api.post("/v1/api-calls", {"name": "look-up", "method": "POST", "url": f"{url}/look-up"})
        for path in ("/up", "/down"):
            body = {
                "url": url + path,
                "events": ["contact.erased", "message.received", "tag.added"],
                "schedule": [3600],
            }
            await api.post("/v1/endpoints", body)
        nodes = FLOW["nodes"] | {"report": FLOW["nodes"]["report"] | {"url": f"{url}/hook"}}
        flow = await api.publish_flow(bot, FLOW | {"nodes": nodes})
        entry = {"flow": flow["id"], "entry": "bought", "channel_id": channel["id"], "new_token": {"name": "shop"}}
        self.trigger = await api.post("/v1/triggers", entry)
        token = await api.post("/v1/tokens", {"name": "crm", "scopes": ["data:read", "data:write"]})
        self.headers = {"authorization": f"Bearer {token['token']}"}
        self.sessions = f"/v1/web/{channel['id']}/sessions"

    async def talk(self) -> dict[str, Any]:
        """The person opens the chat and writes; the contact, once the bot has asked."""
        told = {"contact": {"phone": PHONE, "name": NAME}}
        session = (await self.client.post(self.sessions, json=told, headers=self.headers)).json()
        speaker = {"authorization": f"Bearer {session['token']}"}
        for number, text in enumerate((WORDS, "/start")):
            body = {"client_message_id": str(number), "text": text}
            path = f"{self.sessions}/{session['session_id']}/messages"
            assert (await self.client.post(path, json=body, headers=speaker)).status_code == 202

        async def asked() -> bool:
            answer = await self.client.get(f"{self.sessions}/{session['session_id']}/events", headers=speaker)
            return f"Well, {NAME}?" in [one["content"]["text"] for one in answer.json()["messages"]]

        await eventually(asked, seconds=20)
        (found,) = (await self.client.get("/v1/contacts", params={"q": "zebulon"}, headers=self.headers)).json()[
            "items"
        ]
        return dict(found)

    async def buy(self) -> None:
        """A shop's order with the name in it."""
        shop = {"authorization": f"Bearer {self.trigger['body_example']['token']}"}
        body = {"person": {"phone": PHONE}, "variables": {"note": f"from {NAME}"}}
        answer = await self.client.post(f"/v1/run/{self.trigger['id']}", json=body, headers=shop)
        assert answer.is_success, answer.text


async def test_of_a_person_who_is_erased_only_the_named_topics_know(ground: Ground) -> None:
    stack = ground.stack
    async with Api(stack.base_url, stack.secrets.admin_token) as operator:
        project = (await operator.post("/v1/projects", {"name": "erasing"}))["id"]
    async with (
        receiver() as crm,
        Api(stack.base_url, stack.secrets.admin_token, project) as api,
        httpx.AsyncClient(base_url=stack.base_url, trust_env=False) as client,
    ):
        bot = Bot(api, client, crm)
        await bot.make()
        person = await bot.talk()
        await bot.buy()
        path = f"/v1/contacts/{person['id']}"
        change = {"variables": {"called": NAME}, "add_tags": [NAME]}
        assert (await client.patch(path, json=change, headers=bot.headers)).status_code == 200
        await dead_letter(ground)
        planted = {
            "flow-engine/contact", "flow-engine/contact_term", "flow-engine/conversation", "flow-engine/message",
            "flow-engine/identity", "dispatcher/delivery", "dispatcher/attempt", "registry/trigger_request",
        }  # fmt: skip

        async def all_over() -> bool:
            return await traces(ground, NAME, PHONE, WORDS) >= planted and len(crm.requests) > 4

        await eventually(all_over, seconds=20)
        answer = await client.delete(path, headers=bot.headers)
        assert answer.status_code == 202, answer.text

        async def done() -> dict[str, Any] | None:
            job: dict[str, Any] = (await client.get(answer.headers["location"], headers=bot.headers)).json()["job"]
            return job if job["status"] == "done" else None

        job = await eventually(done, seconds=20)

        async def nothing_left() -> bool:
            return not await traces(ground, NAME, PHONE, WORDS)

        await eventually(nothing_left, seconds=20)
        assert await topics_with(ground, NAME, PHONE, WORDS) <= {one["where"] for one in job["remains"]}
        states = {one["status"] for one in (await api.get("/v1/deliveries"))["items"] if one["error"] == "erased"}
        assert states >= {"succeeded", "cancelled"}
        told = [one.json() for one in crm.requests if one.path == "/up" and b"contact.erased" in one.body]
        assert [one["data"]["contact"]["id"] for one in told] == [person["id"]]
