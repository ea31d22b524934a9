"""From a flow's request to its next word: engine and dispatcher on twins of their stores, and what Kafka would carry between them."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from contracts import inbound
from contracts.registry import Secret
from support.conversations_in_memory import ConversationsInMemory
from support.deliveries import KEYS
from support.dialogue import document
from support.dispatcher_in_memory import DispatcherInMemory, PlayedHttp, dispatcher_in_memory
from support.engine_world import ENTITIES, EngineWorld, LazySandbox, published
from support.registry_in_memory import ViewInMemory
from support.waiting import eventually

PROJECT = ENTITIES[0].project_id
FLOW = document(
    {
        "ask": {"type": "ask", "text": "Who?", "input": {"type": "text", "save_to": "memory.who"}, "ports": {"ok": "look"}},
        "look": {
            "type": "http_request", "method": "POST", "url": "https://api.example.com/members?v=2", "query": {"who": "{{ memory.who }}"},
            "json": {"n": {"cel": "1 + 1"}}, "auth": "secret.crm", "idempotent": True, "save": {"memory.level": "data.level"},
            "ports": {"ok": "found", "error": "sorry", "timeout": "sorry"},
        },
        "found": {"type": "say", "parts": [{"text": "{{ memory.who }} has level {{ memory.level }}."}]},
        "sorry": {"type": "say", "parts": [{"text": "{{ temp.error.type }}"}]},
    }
)  # fmt: skip


class Members:
    """Ann is one; the service stumbles once."""

    def __init__(self) -> None:
        self.asked = 0

    def answer(self, url: str, body: bytes) -> tuple[int, bytes]:
        self.asked += 1
        if self.asked == 1:
            return 503, b""
        return (200, b'{"data": {"level": 3}}') if "who=Ann" in url else (404, b'{"error": "nobody"}')


async def visit(world: EngineWorld, dispatcher: DispatcherInMemory, peer: str, *words: str) -> list[str]:
    """What the person is told who says these words; the answer of the request comes back once."""
    told = len(dispatcher.published.records)
    for word in words:
        asked = len(world.out("actions"))
        await world.say(word, peer)
        await dispatcher.take(world.out("actions")[asked:])
    await eventually(lambda: len(dispatcher.published.records) > told, seconds=10)
    for record in dispatcher.published.records[told:]:
        assert record.topic == inbound.TOPIC.name
        world.lay(record.value, (record.key or b"").decode(), record.headers)
    await world.settle()
    return await world.said(peer)


async def test_a_flow_asks_and_goes_on_with_the_answer() -> None:
    sealed = KEYS.seal(b"Bearer planted-value", project=PROJECT, entity="s1", field="value")
    crm = Secret(id="s1", project_id=PROJECT, name="crm", value=sealed, hosts=("https://api.example.com",))
    view = ViewInMemory(*ENTITIES, crm, *published(FLOW))
    world = EngineWorld(ConversationsInMemory(), nullcontext, view, LazySandbox())
    http = PlayedHttp(Members().answer)
    async with dispatcher_in_memory(http, view, keys=KEYS) as dispatcher:
        assert await visit(world, dispatcher, "p1", "/go", "Ann") == ["Who?", "Ann has level 3."]
        assert await visit(world, dispatcher, "p2", "/go", "Bo & x=1") == ["Who?", "http-404"]
    said: Any = http.requests
    assert said == [
        ("POST", "https://api.example.com/members?v=2&who=Ann", b'{"n":2}'),
        ("POST", "https://api.example.com/members?v=2&who=Ann", b'{"n":2}'),
        ("POST", "https://api.example.com/members?v=2&who=Bo+%26+x%3D1", b'{"n":2}'),
    ]
    assert b"planted-value" not in b"".join(record.value or b"" for record in world.out("actions"))
