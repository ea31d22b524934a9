"""A segment of students gets a personalised story by broadcast, on the whole stack, while engines are killed."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest

from devstack.service import Service
from devstack.stack import Stack
from operations.api import Api
from support.ground import Ground
from support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="package")
STUDENTS, OTHERS = 90, 10
STORY: dict[str, Any] = {
    "schema": "flow/1",
    "slug": "exams",
    "name": "Exams",
    "start": "tell",
    "triggers": [{"id": "told", "type": "webhook", "accept": {"day": "string!"}, "to": "tell"}],
    "nodes": {
        "tell": {"type": "say", "parts": [{"text": "{{ user.name }}, your exam is on {{ event.variables.day }}."}]}
    },
}
KILLS = "seed=3;kill=0.3@broadcast_chosen,broadcast_noted;kill=0.02@in_txn,after_commit;calm=0.3s"


@pytest.mark.seconds(240)
async def test_engines_that_are_killed_tell_everybody_once(ground: Ground) -> None:
    stack = ground.stack
    async with Api(stack.base_url, stack.secrets.admin_token) as operator:
        project = (await operator.post("/v1/projects", {"name": "university"}))["id"]
    async with (
        Api(stack.base_url, stack.secrets.admin_token, project) as api,
        httpx.AsyncClient(base_url=stack.base_url, trust_env=False, timeout=30) as client,
    ):
        bot = (await api.post("/v1/bots", {"name": "university"}))["id"]
        channel = await api.post("/v1/channels", {"bot": bot, "type": "webchat", "name": "site"})
        await api.publish_flow(bot, STORY)
        await api.post("/v1/segments", {"name": "students", "filter": '"student" in contact.tags'})
        token = await api.post("/v1/tokens", {"name": "office", "scopes": ["admin", "data:read", "data:write"]})
        client.headers["authorization"] = f"Bearer {token['token']}"
        sessions = f"/v1/web/{channel['id']}/sessions"

        async def visit(number: int) -> None:
            name = f"Student {number}" if number < STUDENTS else f"Guest {number}"
            session = (await client.post(sessions, json={"contact": {"external_id": str(number), "name": name}})).json()
            body = {"client_message_id": "1", "text": "hello", "contact": {"name": name}}
            headers = {"authorization": f"Bearer {session['token']}"}
            answer = await client.post(f"{sessions}/{session['session_id']}/messages", json=body, headers=headers)
            assert answer.status_code == 202, answer.text

        for first in range(0, STUDENTS + OTHERS, 20):
            await asyncio.gather(*(visit(number) for number in range(first, min(first + 20, STUDENTS + OTHERS))))

        async def contacts() -> list[dict[str, Any]]:
            lines = (await client.get("/v1/contacts/export")).text.splitlines()
            found = [httpx.Response(200, text=line).json() for line in lines]
            return found if len(found) == STUDENTS + OTHERS else []

        for one in await eventually(contacts):
            if one["name"].startswith("Student"):
                await client.patch(
                    f"/v1/contacts/{one['id']}", json={"add_tags": ["student"]}, headers={"prefer": "respond-async"}
                )

        async def tagged() -> bool:
            return bool(
                (await client.get("/v1/contacts/count", params={"segment": "students"})).json()["count"] == STUDENTS
            )

        await eventually(tagged)
        body = {"segment": "students", "flow": "exams", "entry": "told", "data": {"day": "Monday"}, "rate": 20}
        await _while_the_database_is_killed(stack, client, body)
        engines = [one for one in stack.services.values() if one.service == "flow-engine"]
        crashes = ground.log.crashes
        for engine in engines:
            engine.env |= {"SWITCHHOOK_FAILPOINTS": KILLS, "SWITCHHOOK_CHAOS": "1"}
        await _restart(engines)
        try:
            made = await eventually(lambda: _made(client, body))
            await eventually(
                lambda: _is(client, made, lambda shown: shown["counts"]["started"] >= STUDENTS // 3), seconds=120
            )
            await eventually(lambda: _turned(client, made, "pause"), seconds=30)
            await eventually(lambda: _turned(client, made, "resume"), seconds=30)
            await eventually(lambda: _is(client, made, lambda shown: shown["state"] == "completed"), seconds=180)
        finally:
            for engine in engines:
                for name in ("SWITCHHOOK_FAILPOINTS", "SWITCHHOOK_CHAOS"):
                    engine.env.pop(name, None)
            await _restart(engines)
            await stack.wait_ready()
        assert ground.log.crashes > crashes
        done = (await client.get(f"/v1/broadcasts/{made['id']}")).json()
        assert done["counts"] | {"reasons": {}} == {
            "recipients": STUDENTS, "started": STUDENTS, "waiting": 0, "sending": 0, "skipped": 0, "failed": 0, "cancelled": 0,
            "reasons": {},
        }  # fmt: skip
        told = {text: times for text, times in (await _told(client)).items() if text.endswith("Monday.")}
        assert told == {f"Student {number}, your exam is on Monday.": 1 for number in range(STUDENTS)}


async def _restart(engines: list[Service]) -> None:
    """All at once: they leave and join their group together."""
    await asyncio.gather(*(engine.stop() for engine in engines))
    await asyncio.gather(*(engine.start() for engine in engines))


async def _while_the_database_is_killed(stack: Stack, client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    """Another one before, which is paused, resumed and cancelled in the middle of its walk."""
    made = await eventually(lambda: _made(client, body | {"data": {"day": "Friday"}, "rate": 10}, key="before"))

    async def has_begun_with(people: int) -> None:
        await eventually(lambda: _is(client, made, lambda shown: shown["counts"]["started"] >= people), seconds=60)

    await has_begun_with(5)
    await eventually(lambda: _turned(client, made, "pause"), seconds=30)
    started = (await client.get(f"/v1/broadcasts/{made['id']}")).json()["counts"]["started"]
    await stack.postgres.kill()
    await stack.postgres.start()
    await eventually(lambda: _turned(client, made, "resume"), seconds=30)
    await has_begun_with(started + 5)
    await eventually(lambda: _turned(client, made, "cancel"), seconds=30)
    await eventually(lambda: _is(client, made, lambda shown: not any(map(shown["counts"].get, ("waiting", "sending")))))
    counts = (await client.get(f"/v1/broadcasts/{made['id']}")).json()["counts"]
    assert started + 5 <= counts["started"] < STUDENTS
    assert counts["recipients"] == counts["started"] + counts["cancelled"]
    told = {text: times for text, times in (await _told(client)).items() if text.endswith("Friday.")}
    assert (len(told), set(told.values())) == (counts["started"], {1})


async def _made(client: httpx.AsyncClient, body: dict[str, Any], key: str = "exams") -> Any:
    answer = await client.post("/v1/broadcasts", json=body, headers={"idempotency-key": key})
    return answer.json() if answer.status_code == 201 else None


async def _turned(client: httpx.AsyncClient, made: dict[str, Any], verb: str) -> bool:
    answer = await client.post(f"/v1/broadcasts/{made['id']}/{verb}")
    return answer.status_code in (200, 409)


async def _is(client: httpx.AsyncClient, made: dict[str, Any], wanted: Any) -> bool:
    answer = await client.get(f"/v1/broadcasts/{made['id']}")
    return answer.status_code == 200 and bool(wanted(answer.json()))


async def _told(client: httpx.AsyncClient) -> Counter[str]:
    """What the bot has said, by the chat log."""
    said: Counter[str] = Counter()
    cursor: dict[str, str] = {}
    while True:
        page = (await client.get("/v1/chatlogs", params={"limit": 200} | cursor)).json()
        said.update(line["content"]["text"] for line in page["items"] if line["sender"] == "bot")
        if page["next"] is None:
            return said
        cursor = {"cursor": page["next"]}
