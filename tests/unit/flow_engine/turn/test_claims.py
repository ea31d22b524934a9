"""What a flow keeps of a person's answer is what the person says: it names nobody."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from support.conversations_in_memory import ConversationsInMemory
from support.engine_world import BOT, ENTITIES, EngineWorld, ScriptedSandbox, published
from support.registry_in_memory import ViewInMemory

ADDRESS: dict[str, Any] = {
    "schema": "flow/1",
    "slug": "address",
    "name": "Address",
    "start": "ask",
    "triggers": [
        {"id": "hello", "type": "command", "value": "/start", "to": "ask"},
        {"id": "bought", "type": "webhook", "to": "paid"},
    ],
    "nodes": {
        "ask": {
            "type": "ask",
            "text": "Your address?",
            "input": {"type": "email", "save_to": "user.email"},
            "ports": {"ok": "phone"},
        },
        "phone": {"type": "set", "values": {"user.phone": "+491701234567"}, "ports": {"next": "thanks"}},
        "thanks": {"type": "say", "parts": [{"text": "Thanks, {{ user.email }}."}]},
        "paid": {"type": "say", "parts": [{"text": "Paid."}]},
    },
}


async def test_what_a_flow_saves_of_an_answer_is_a_claim() -> None:
    store = ConversationsInMemory()
    world = EngineWorld(store, nullcontext, ViewInMemory(*ENTITIES, *published(ADDRESS)), ScriptedSandbox())
    await world.say("/start")
    await world.say("hugo@example.com")
    assert await world.said() == ["Your address?", "Thanks, hugo@example.com."]
    assert (await world.contact()).profile == {"email": "hugo@example.com", "phone": "+491701234567"}
    for person in ({"email": "hugo@example.com"}, {"phone": "+491701234567"}):
        ((field, value),) = person.items()
        start: dict[str, Any] = {"source": "trigger", "trigger_id": "t1", "flow_id": "flow-1", "entry": "bought"}
        await world.send("start", "-", channel="-", key=f"{BOT}/-/{field}:{value}", person=person, **start)
    told = [event["problem"]["type"] for event in world.events("trigger.rejected")]
    assert told == ["contact-not-found", "contact-not-found"]
    assert (len(await world.said()), store.identities) == (2, {})
