"""Profile attributes segment people, and a story is for the people of a segment: on the whole stack."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from operations.api import Api
from support.ground import Ground
from support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="package")
OFFER: dict[str, Any] = {
    "schema": "flow/1",
    "slug": "offer",
    "name": "Offer",
    "start": "all",
    "triggers": [
        {"id": "locals", "type": "keyword", "any": ["hello"], "when": 'in_segment("locals")', "to": "locals"},
        {"id": "all", "type": "keyword", "any": ["hello"], "to": "all"},
    ],
    "nodes": {
        "locals": {"type": "say", "parts": [{"text": "Come by, {{ user.name }}."}]},
        "all": {"type": "say", "parts": [{"text": "We send it to you."}]},
    },
}
SEGMENTS = {
    "locals": 'contact.city == "Riga" && contact.variables.points >= 10',
    "walked": 'contact.tags.exists(tag, tag.startsWith("ord"))',
}


async def test_a_story_is_for_the_people_of_a_segment(ground: Ground) -> None:
    stack = ground.stack
    async with Api(stack.base_url, stack.secrets.admin_token) as operator:
        project = (await operator.post("/v1/projects", {"name": "segments"}))["id"]
    async with (
        Api(stack.base_url, stack.secrets.admin_token, project) as api,
        httpx.AsyncClient(base_url=stack.base_url, trust_env=False, timeout=30) as client,
    ):
        bot = (await api.post("/v1/bots", {"name": "shop"}))["id"]
        channel = await api.post("/v1/channels", {"bot": bot, "type": "webchat", "name": "site"})
        for name, source in SEGMENTS.items():
            await api.post("/v1/segments", {"name": name, "filter": source})
        await api.publish_flow(bot, OFFER)
        token = await api.post("/v1/tokens", {"name": "crm", "scopes": ["data:read", "data:write"]})
        client.headers["authorization"] = f"Bearer {token['token']}"

        async def listed(**query: Any) -> list[str]:
            answer = await client.get("/v1/contacts", params=query)
            return [one["name"] for one in answer.json()["items"]] if answer.is_success else []

        async def made(person: dict[str, Any]) -> bool:
            answer = await client.post("/v1/contacts", json=person, headers={"idempotency-key": person["name"]})
            return answer.status_code == 201

        people = (("Ann", "Riga", 12, "ordered"), ("Ben", "Riga", 3, "new"), ("Eve", "Bonn", 99, "ordered"))
        for name, city, points, tag in people:
            person = {"external_id": name, "name": name, "city": city, "variables": {"points": points}, "tags": [tag]}
            await eventually(lambda: made(person))  # noqa: B023 (it is waited for at once)
        assert await eventually(lambda: listed(segment="locals")) == ["Ann"]
        assert await eventually(lambda: listed(segment="walked")) == ["Eve", "Ann"]
        for name, number, evaluated in (("locals", 1, "query"), ("walked", 2, "walk")):
            counted = (await client.get("/v1/contacts/count", params={"segment": name})).json()
            assert counted == {"count": number, "is_exact": True, "evaluated": evaluated}

        sessions = f"/v1/web/{channel['id']}/sessions"

        async def heard(name: str) -> str:
            session = (await client.post(sessions, json={"contact": {"external_id": name}})).json()
            url, proof = f"{sessions}/{session['session_id']}", {"authorization": f"Bearer {session['token']}"}
            said = {"client_message_id": "1", "text": "hello"}
            assert (await client.post(f"{url}/messages", json=said, headers=proof)).status_code == 202

            async def answer() -> list[str]:
                messages = (await client.get(f"{url}/events", headers=proof)).json()["messages"]
                return [message["content"]["text"] for message in messages]

            return (await eventually(answer))[-1]

        assert await heard("Ann") == "Come by, Ann."
        assert await heard("Ben") == "We send it to you."
