"""A bot's people and broadcasts over an EngineWorld: what is made by HTTP, walked, applied and heard."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx

from contracts.registry import Bot, Channel
from flow_engine.batch.broadcasting import Broadcasting
from flow_engine.segments import walker
from flow_engine.segments.members import Segments
from flow_engine.state.ids import conversation_id
from support.engine_world import PROJECT, EngineWorld, flow, flow_version
from support.workers_in_memory import WorkersInMemory

NEWS: dict[str, Any] = {
    "schema": "flow/1",
    "slug": "news",
    "name": "News",
    "start": "tell",
    "variables": {"title": {"type": "string", "scope": "memory"}},
    "triggers": [
        {"id": "students", "type": "webhook", "accept": {"title": "string!"}, "to": "tell"},
        {"id": "adults", "type": "webhook", "when": "user.age > 17", "to": "tell"},
        {"id": "asking", "type": "webhook", "to": "ask"},
    ],
    "nodes": {
        "tell": {"type": "say", "parts": [{"text": "{{ user.name }}: {{ memory.title }}"}]},
        "ask": {
            "type": "ask", "text": "Coming?", "input": {"type": "text", "save_to": "memory.x"}, "timeout": "PT1H",
            "ports": {"ok": "tell"},
        },
    },
}  # fmt: skip


def bot_of(world: EngineWorld) -> str:
    """A bot of its own, with the flow `news` and two channels, `one-<bot>` and `two-<bot>`."""
    id = f"bot-{uuid4()}"
    world.view.put(Bot(id=id, project_id=PROJECT, name="News"))
    for name in ("one", "two"):
        world.view.put(Channel(id=f"{name}-{id}", project_id=PROJECT, bot_id=id, type="webchat", name=name))
    world.view.put(flow_version(NEWS, flow=f"flow-{id}").model_copy(update={"bot_id": id}))
    world.view.put(flow("news", id=f"flow-{id}").model_copy(update={"bot_id": id}))
    return id


class Sender:
    """A bot's broadcasts, walked by one engine or another."""

    def __init__(self, world: EngineWorld, pool: Any, http: httpx.AsyncClient, bot: str) -> None:
        self.world, self.pool, self.http, self.bot = world, pool, http, bot
        self.segments = Segments(WorkersInMemory(lambda: walker.ask))
        self.walker = self.another()

    def another(self) -> Broadcasting:
        """An engine that has just started."""
        return Broadcasting(self.world, self.pool, self.world.catalogue, self.segments, str(uuid4()), list)

    def key(self, peer: str, channel: str = "one") -> str:
        return f"{self.bot}/{channel}-{self.bot}/{peer}"

    async def event(self, kind: str, peer: str, channel: str = "one", **fields: Any) -> str:
        place = {"bot_id": self.bot, "channel_type": "webchat", "key": self.key(peer, channel)}
        return await self.world.send(kind, peer, channel=f"{channel}-{self.bot}", **place, **fields)

    async def says(self, peer: str, text: str = "hello", channel: str = "one", **fields: Any) -> None:
        profile = {"name": peer, **fields.pop("profile", {})}
        await self.event("message", peer, channel, message_id=str(uuid4()), text=text, profile=profile, **fields)

    async def heard(self, peer: str, channel: str = "one") -> list[str]:
        async with self.world.store.reading() as reads:
            said = await reads.backlog(conversation_id(self.key(peer, channel)), 0)
        return [message["content"]["text"] for message in said]

    async def make(self, expect: int = 201, **fields: Any) -> dict[str, Any]:
        body = {"bot": self.bot, "flow": "news", "rate": 500, "data": {"title": "Exams"}} | fields
        answer = await self.http.post("/v1/broadcasts", json=body)
        assert answer.status_code == expect, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def shown(self, made: dict[str, Any]) -> dict[str, Any]:
        answer = await self.http.get(f"/v1/broadcasts/{made['id']}")
        shown: dict[str, Any] = answer.json()
        return shown

    async def turn(self, made: dict[str, Any], verb: str, expect: int = 200) -> dict[str, Any]:
        answer = await self.http.post(f"/v1/broadcasts/{made['id']}/{verb}")
        assert answer.status_code == expect, answer.text
        turned: dict[str, Any] = answer.json()
        return turned

    async def recipients(self, made: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            path = f"/v1/broadcasts/{made['id']}/recipients"
            page = (await self.http.get(path, params=query | cursor)).json()
            found += page["items"]
            if page["next"] is None:
                return found
            cursor = {"cursor": page["next"]}

    async def begin(self, starts: int) -> None:
        """Walk until so many starts are written, and apply none."""
        while len(self.world.waiting) < starts:
            await self.walker.look()

    async def until(self, made: dict[str, Any], *states: str) -> dict[str, Any]:
        """Walk and apply until the broadcast is so far."""
        for _ in range(500):
            shown = await self.shown(made)
            if shown["state"] in (states or ("completed",)):
                return shown
            await self.walker.look()
            await self.world.settle()
        raise AssertionError(await self.shown(made))


def outcomes(shown: dict[str, Any]) -> dict[str, int]:
    return {name: count for name, count in shown["counts"].items() if name not in ("reasons", "recipients") and count}
