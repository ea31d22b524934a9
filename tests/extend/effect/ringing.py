"""A conversation that comes to a `ring` node where the package `bells` is installed: printed as JSON."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import Any

import orjson

from contracts import inbound
from support.conversations_in_memory import ConversationsInMemory
from support.dialogue import document
from support.dispatcher_in_memory import DispatcherInMemory, PlayedHttp, dispatcher_in_memory
from support.engine_world import ENTITIES, EngineWorld, LazySandbox, published
from support.registry_in_memory import ViewInMemory
from support.waiting import eventually


def flow(slug: str, house: str) -> dict[str, Any]:
    """Rings at the house on /ann, /bob."""
    nodes = {
        "door": {"type": "ring", "house": house, "times": 2, "ports": {"error": "nobody"}},
        "nobody": {"type": "say", "parts": [{"text": "{{ temp.error.type }}"}]},
    }
    made = document(nodes, slug=slug)
    made["triggers"][0]["value"] = f"/{slug}"
    return made


class Houses:
    """ann.example answers at the second ring; nobody lives at the other address."""

    def __init__(self) -> None:
        self.rings = 0

    def answer(self, url: str, body: bytes) -> tuple[int, bytes]:
        if "ann.example" not in url:
            return 404, b""
        self.rings += 1
        return (200, b'{"who": "Ann"}') if self.rings > 1 else (503, b"")


async def visit(world: EngineWorld, dispatcher: DispatcherInMemory, said: str, peer: str) -> None:
    """A person's word, what the engine asks for, what the dispatcher does, and its answer to the engine."""
    told, asked = len(dispatcher.published.records), len(world.out("actions"))
    await world.say(said, peer)
    await dispatcher.take(world.out("actions")[asked:])
    await eventually(lambda: len(dispatcher.published.records) > told, seconds=10)
    for record in dispatcher.published.records[told:]:
        assert record.topic == inbound.TOPIC.name
        world.lay(record.value, (record.key or b"").decode(), record.headers)
    await world.settle()


async def main() -> None:
    view = ViewInMemory(*ENTITIES, *published(flow("ann", "ann.example"), flow("bob", "bob.example")))
    world = EngineWorld(ConversationsInMemory(), nullcontext, view, LazySandbox())
    http = PlayedHttp(Houses().answer)
    async with dispatcher_in_memory(http, view) as dispatcher:
        await visit(world, dispatcher, "/ann", "p1")
        await visit(world, dispatcher, "/bob", "p2")
        found = {
            "requests": [(method, url, orjson.loads(body)) for method, url, body in http.requests],
            "results": [orjson.loads(each.value or b"") for each in dispatcher.published.records],
            "states": [row.state for row in dispatcher.store.tables.rows.values()],
            "said": [await world.said(peer) for peer in ("p1", "p2")],
        }
    print(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())


if __name__ == "__main__":
    asyncio.run(main())
