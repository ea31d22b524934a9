"""An agent answers a visitor of a site, on the whole stack; a shop's programs hear of it in both forms."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest

from operations.api import Api
from support.ground import Ground
from support.receiver import Receiver, receiver
from support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="package")
HUMAN: dict[str, Any] = {
    "schema": "flow/1",
    "slug": "human",
    "name": "A human",
    "start": "human",
    "triggers": [{"id": "human", "type": "keyword", "any": ["human"], "to": "human"}],
    "nodes": {
        "human": {
            "type": "live_chat",
            "queue": "Sales",
            "text": "A colleague is coming.",
            "ports": {"closed": "flagged"},
            "report": {"title": "chat with an admin opened", "url": "", "format": "sendpulse"},
        },
        "flagged": {"type": "flag", "add": ["answered"], "push_profile": True, "ports": {"next": "back"}},
        "back": {"type": "say", "parts": [{"text": "I am back."}]},
    },
}


async def test_a_visitor_is_handed_to_an_agent_and_back_and_the_shop_hears_of_all_of_it(ground: Ground) -> None:
    stack = ground.stack
    async with receiver() as shop:
        webhook = f"{shop.url}/project"
        async with Api(stack.base_url, stack.secrets.admin_token) as operator:
            project = (await operator.post("/v1/projects", {"name": "live chat", "webhook_url": webhook}))["id"]
        async with (
            Api(stack.base_url, stack.secrets.admin_token, project) as api,
            httpx.AsyncClient(base_url=stack.base_url, trust_env=False) as client,
        ):
            bot = (await api.post("/v1/bots", {"name": "shop"}))["id"]
            channel = await api.post("/v1/channels", {"bot": bot, "type": "webchat", "name": "site"})
            HUMAN["nodes"]["human"]["report"]["url"] = f"{shop.url}/step"
            await api.publish_flow(bot, HUMAN)
            opened = {"url": f"{shop.url}/bot", "events": ["live_chat.opened"], "bots": [bot], "format": "sendpulse"}
            await api.post("/v1/endpoints", opened)
            crm = (await api.post("/v1/tokens", {"name": "crm", "scopes": ["data:write"]}))["token"]
            kim = {"name": "Kim", "email": "kim@example.com"}
            made = await client.post("/v1/agents", json=kim, headers={"authorization": f"Bearer {crm}"})
            token = await api.post(f"/v1/agents/{made.json()['id']}/tokens", {})
            agent = {"authorization": f"Bearer {token['token']}"}
            await _converse(client, channel["id"], agent)
            await _heard(shop)


async def _converse(client: httpx.AsyncClient, channel: str, agent: dict[str, str]) -> None:
    sessions = f"/v1/web/{channel}/sessions"
    session = (await client.post(sessions)).json()
    url, visitor = f"{sessions}/{session['session_id']}", {"authorization": f"Bearer {session['token']}"}

    async def say(id: str, text: str) -> None:
        answer = await client.post(f"{url}/messages", json={"client_message_id": id, "text": text}, headers=visitor)
        assert answer.status_code == 202, answer.text

    async def heard() -> list[str]:
        answer = await client.get(f"{url}/events", headers=visitor)
        return [message["content"]["text"] for message in answer.json()["messages"]]

    async def waits() -> Any:
        answer = await client.get("/v1/conversations?state=queued", headers=agent)
        return answer.json()["items"] if answer.is_success else None

    async def does(verb: str, **body: Any) -> dict[str, Any]:
        answer = await client.post(f"/v1/conversations/{verb}", json=body or None, headers=agent)
        assert answer.is_success, answer.text
        return dict(answer.json())

    await say("1", "human")
    (waiting,) = await eventually(waits)
    assert (waiting["queue"], waiting["last_message"]) == ("Sales", "human")
    await does("presence", state="online")
    listening = agent | {"accept": "text/event-stream"}
    async with client.stream("GET", "/v1/conversations", headers=listening, timeout=30) as stream:
        told = _told(stream)
        assert await anext(told) == ("conversation", "queued")
        assert (await does(f"{waiting['id']}/takeover"))["agent"]["name"] == "Kim"
        assert await anext(told) == ("conversation", "with_agent")
    await does(f"{waiting['id']}/messages", text="Hello, I am Kim.")
    await say("2", "human")
    await eventually(lambda: _has(heard, ["A colleague is coming.", "Hello, I am Kim."]))
    shown = await eventually(lambda: _unread(client, waiting["id"], agent))
    assert shown["last_message"] == "human"
    await does(f"{waiting['id']}/release")
    await eventually(lambda: _has(heard, ["A colleague is coming.", "Hello, I am Kim.", "I am back."]))
    await does("presence", state="offline")


async def _told(stream: httpx.Response) -> AsyncIterator[tuple[str, str]]:
    """Name and state of each event, as it comes through the socket."""
    assert stream.headers["content-type"].startswith("text/event-stream")
    name = ""
    async for line in stream.aiter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, orjson.loads(value)["state"]


async def _has(heard: Any, texts: list[str]) -> bool:
    return bool(await heard() == texts)


async def _unread(client: httpx.AsyncClient, id: str, agent: dict[str, str]) -> Any:
    shown = (await client.get(f"/v1/conversations/{id}", headers=agent)).json()
    return shown if shown["unread"] == 1 else None


async def _heard(shop: Receiver) -> None:
    """The bot's subscription, the step's webhook, and the project's webhook: each in its own form."""

    def bodies(path: str) -> list[Any]:
        return [request.json() for request in shop.requests if request.path == path]

    ((opened,),) = await eventually(lambda: bodies("/bot"))
    assert (opened["title"], opened["service"], opened["contact"]["last_message"]) == ("open_chat", "livechat", "human")
    ((step,),) = await eventually(lambda: bodies("/step"))
    assert (step["title"], step["info"]) == ("chat with an admin opened", None)
    wanted = ["agent.logged_in", "flag.assigned", "profile.pushed", "agent.logged_out"]
    await eventually(lambda: _all_of(wanted, [each["type"] for each in bodies("/project")]))
    told = {each["type"]: each["data"] for each in bodies("/project")}
    assert [each["type"] for each in bodies("/project")].count("agent.logged_in") == 1
    assert told["agent.logged_out"]["agent"]["name"] == "Kim"
    assert told["profile.pushed"]["contact"]["flags"] == ["answered"]


def _all_of(wanted: list[str], told: list[str]) -> bool:
    assert set(wanted) <= set(told), told
    return True
