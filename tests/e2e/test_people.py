"""Whom a shop's trigger writes to, on the whole stack: who was vouched for, and nobody who only says so."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from operations.api import Api
from support.ground import Ground
from support.importing import import_by_turns
from support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="package")
HUGO = "HUGO@example.com"
PAID: dict[str, Any] = {
    "schema": "flow/1",
    "slug": "paid",
    "name": "Paid",
    "start": "paid",
    "triggers": [{"id": "bought", "type": "webhook", "to": "paid"}],
    "nodes": {"paid": {"type": "say", "parts": [{"text": "Thank you, {{ user.name }}."}]}},
}


class Visitor:
    """A page with a web chat session."""

    def __init__(self, client: httpx.AsyncClient, sessions: str, session: dict[str, Any]) -> None:
        self._client, self._url = client, f"{sessions}/{session['session_id']}"
        self._headers = {"authorization": f"Bearer {session['token']}"}

    async def say(self, **contact: str) -> None:
        body = {"client_message_id": "1", "text": "hello", "contact": contact}
        answer = await self._client.post(f"{self._url}/messages", json=body, headers=self._headers)
        assert answer.status_code == 202, answer.text

    async def heard(self) -> list[str]:
        answer = await self._client.get(f"{self._url}/events", headers=self._headers)
        return [message["content"]["text"] for message in answer.json()["messages"]]


async def test_a_shop_reaches_who_was_vouched_for_and_not_who_says_so(ground: Ground) -> None:
    stack = ground.stack
    async with Api(stack.base_url, stack.secrets.admin_token) as operator:
        project = (await operator.post("/v1/projects", {"name": "people"}))["id"]
    async with (
        Api(stack.base_url, stack.secrets.admin_token, project) as api,
        httpx.AsyncClient(base_url=stack.base_url, trust_env=False) as client,
    ):
        bot = (await api.post("/v1/bots", {"name": "shop"}))["id"]
        channel = await api.post("/v1/channels", {"bot": bot, "type": "webchat", "name": "site"})
        flow = await api.publish_flow(bot, PAID)
        entry = {"flow": flow["id"], "entry": "bought", "channel_id": channel["id"], "new_token": {"name": "shop"}}
        trigger = await api.post("/v1/triggers", entry)
        shop = {"authorization": f"Bearer {trigger['body_example']['token']}"}
        crm = await api.post("/v1/tokens", {"name": "crm", "scopes": ["data:write"]})
        sessions = f"/v1/web/{channel['id']}/sessions"

        async def bought() -> tuple[int, str]:
            body = {"person": {"email": HUGO}}
            answer = await client.post(f"/v1/run/{trigger['id']}", json=body, headers=shop)
            return answer.status_code, answer.json().get("status", "") if answer.is_success else answer.json()["type"]

        liar = Visitor(client, sessions, (await client.post(sessions)).json())
        await liar.say(email="hugo@example.com", name="Liar")
        status, why = await bought()
        assert (status, why.rpartition("/")[2]) == (404, "contact-not-found")
        told = {"contact": {"email": "hugo@example.com", "name": "Hugo"}}
        made = await client.post(sessions, json=told, headers={"authorization": f"Bearer {crm['token']}"})
        hugo = Visitor(client, sessions, made.json())
        await hugo.say()

        async def reached() -> bool:
            return (await bought())[0] == 202

        await eventually(reached)
        assert (await eventually(hugo.heard))[0] == "Thank you, Hugo."
        assert await liar.heard() == []


async def test_another_program_keeps_people_whom_the_bot_has_not_met_and_reads_what_was_said(ground: Ground) -> None:
    """An address book is written, found and corrected; then one of its people opens the chat, and is who was written.

    Who may write may not read, and the other way round; neither may who talks as a person.
    """
    stack = ground.stack
    async with Api(stack.base_url, stack.secrets.admin_token) as operator:
        project = (await operator.post("/v1/projects", {"name": "address book"}))["id"]
    async with (
        Api(stack.base_url, stack.secrets.admin_token, project) as api,
        httpx.AsyncClient(base_url=stack.base_url, trust_env=False) as client,
    ):
        bot = (await api.post("/v1/bots", {"name": "shop"}))["id"]
        channel = await api.post("/v1/channels", {"bot": bot, "type": "webchat", "name": "site"})
        reader, writer, talker = [await _token(api, scope) for scope in ("data:read", "data:write", "bots:converse")]

        async def made() -> httpx.Response | None:
            body = {"external_id": "4711", "name": "Ann Lee", "tags": ["vip"]}
            answer = await client.post("/v1/contacts", json=body, headers=writer | {"idempotency-key": "ann"})
            return answer if answer.status_code == 201 else None

        answer = await eventually(made)
        path, ann, seen = answer.headers["location"], answer.json(), {"if-match": answer.headers["etag"]}
        changed = await client.patch(path, json={"city": "Riga"}, headers=writer | seen)
        assert (changed.status_code, changed.json()["city"]) == (200, "Riga")
        late = await client.patch(path, json={"city": "Bonn"}, headers=writer | seen)
        assert late.status_code == 412
        kim = await client.post("/v1/agents", json={"name": "Kim", "email": "kim@example.com"}, headers=writer)
        assert (kim.status_code, kim.json()["name"]) == (201, "Kim")
        found = (await client.get("/v1/contacts", params={"q": "ann", "tag": "vip"}, headers=reader)).json()["items"]
        assert [one["id"] for one in found] == [ann["id"]]
        sessions = f"/v1/web/{channel['id']}/sessions"
        told = (await client.post(sessions, json={"contact": {"external_id": "4711"}}, headers=writer)).json()
        await Visitor(client, sessions, told).say(name="Annie")

        async def said() -> list[str]:
            answer = await client.get("/v1/chatlogs", params={"contact": ann["id"]}, headers=reader)
            return [line["content"]["text"] for line in answer.json()["items"]]

        assert await eventually(said) == ["hello"]
        (where,) = (await client.get(path, headers=reader)).json()["channels"]
        assert (where["channel_id"], where["state"]) == (channel["id"], "active")
        exported = (await client.get("/v1/contacts/export", headers=reader)).text.splitlines()
        assert len(exported) == 1
        refused = [
            await client.patch(path, json={"city": "Bonn"}, headers=reader),
            await client.get("/v1/chatlogs", params={"contact": ann["id"]}, headers=talker),
            await client.get("/v1/chatlogs", params={"contact": ann["id"]}, headers=writer),
        ]
        assert [one.status_code for one in refused] == [403, 403, 403]
        assert ["data:write" in refused[0].text, *("data:read" in one.text for one in refused[1:])] == [True] * 3
        await import_by_turns(stack.base_url, writer)


async def _token(api: Api, scope: str) -> dict[str, str]:
    made = await api.post("/v1/tokens", {"name": scope, "scopes": [scope]})
    return {"authorization": f"Bearer {made['token']}"}
