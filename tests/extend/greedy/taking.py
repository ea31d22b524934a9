"""An engine whose flows have `take` nodes, with real worker processes: what became of each conversation, as JSON.

All messages of two projects are in one partition's batch: those of the second stand between those of the first.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import nullcontext
from typing import Any

import orjson
import structlog

from contracts.registry import Bot, Channel, Flow, FlowVersion
from flow_engine.catalogue.links import LinkMaker
from flow_engine.programs import stepping, worker
from flow_engine.state.ids import conversation_id
from servicekit.credentials.links import LinkKeys
from servicekit.workers.pool import WorkerPool
from support.conversations_in_memory import ConversationsInMemory
from support.dialogue import document
from support.engine_world import ENTITIES, EngineWorld, LazySandbox, published
from support.registry_in_memory import ViewInMemory

WHAT = ("cpu", "memory", "time", "life", "nothing")
OTHER = "project-2"


def taking(what: str, ports: dict[str, str]) -> dict[str, Any]:
    """Takes it on /<what>, with or without a port for errors."""
    slug = what if ports else f"{what}-undrawn"
    nodes: dict[str, Any] = {"take": {"type": "take", "what": what, "ports": ports}}
    if ports:
        nodes["sorry"] = {"type": "say", "parts": [{"text": "Sorry: {{ temp.error.type }}"}]}
    made = document(nodes, slug=slug)
    made["triggers"][0]["value"] = f"/{slug}"
    return made


def neighbour() -> list[Any]:
    """Another project, whose bot answers /go with a counted template."""
    made = document({"say": {"type": "say", "parts": [{"text": "{{ 'hello' | upcase }}"}]}}, slug="hello")
    return [
        Bot(id="bot-2", project_id=OTHER, name="Neighbour"),
        Channel(id="web-2", project_id=OTHER, bot_id="bot-2", type="webchat", name="Site"),
        Flow(id="flow-n", project_id=OTHER, bot_id="bot-2", slug="hello", name="hello", published=1),
        FlowVersion(flow_id="flow-n", project_id=OTHER, bot_id="bot-2", version=1, document=made),
    ]


def put_neighbour(world: EngineWorld, peer: str) -> None:
    place = {"project_id": OTHER, "bot_id": "bot-2", "channel_id": "web-2", "channel_type": "webchat"}
    world.put("message", peer, key=f"bot-2/web-2/{peer}", message_id=peer, text="/go", **place)


async def said_to_neighbour(world: EngineWorld, peer: str) -> list[str]:
    async with world.store.reading() as reads:
        messages = await reads.backlog(conversation_id(f"bot-2/web-2/{peer}"), 0)
    return [message["content"]["text"] for message in messages]


async def main() -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    stepping.STEP = stepping.STEP._replace(seconds=1.0)
    documents = [*(taking(what, {"error": "sorry"}) for what in WHAT), taking("life", {})]
    view = ViewInMemory(*ENTITIES, *published(*documents), *neighbour())
    world = EngineWorld(ConversationsInMemory(), nullcontext, view, LazySandbox())
    found: dict[str, Any] = {"said": {}, "seconds": {}, "neighbour": {}, "after": {}, "held": {}}
    async with WorkerPool(worker.TARGET, LinkMaker(LinkKeys("k" * 32), "http://test"), most=2) as pool:
        for command in (*WHAT, "life-undrawn"):
            world.workers = pool
            world.restart(compute_budget=10)  # With its whole allowance.
            began = time.perf_counter()
            world.put("message", command, message_id="1", text=f"/{command}")
            put_neighbour(world, command)
            await world.settle()
            found["seconds"][command] = time.perf_counter() - began
            found["said"][command] = await world.said(command)
            found["neighbour"][command] = await said_to_neighbour(world, command)
            found["held"][command] = await world.held(command)
            await world.say("/nothing", command)
            found["after"][command] = (await world.said(command))[-1:]
    found["failed"] = [event["error"]["type"] for event in world.events("flow.failed")]
    found["dead"] = world.dead()
    print(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())


if __name__ == "__main__":
    asyncio.run(main())
