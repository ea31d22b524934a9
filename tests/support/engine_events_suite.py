"""Flows that listen to events: each event once, in its conversation's order, and never for ever."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from flow_engine.state.limits import MOST_HOPS
from support.engine_own_contacts_suite import make, write
from support.engine_world import BOT, WEB, EngineWorld, flow, flow_version


def on(name: str, to: str = "note", **more: Any) -> dict[str, Any]:
    """A trigger."""
    return {"id": name.replace(".", "_") + to, "type": "event", "name": name, "to": to, **more}


NOTE = {"type": "say", "parts": [{"text": "{{ event.type }} {{ event.tag }}{{ event.reason }}{{ event.title }}"}]}
NODES: dict[str, Any] = {
    "note": NOTE,
    "tag": {"type": "tag", "add": ["vip"], "ports": {"next": "after"}},
    "after": {"type": "say", "parts": [{"text": "Tagged."}]},
    "ask": {"type": "ask", "text": "Name?", "input": {"type": "text"}, "ports": {"ok": "hi"}},
    "hi": {"type": "say", "parts": [{"text": "Hi {{ event.text }}"}]},
}
TAG = {"id": "t", "type": "command", "value": "/tag", "to": "tag"}
ASK = {"id": "q", "type": "command", "value": "/ask", "to": "ask"}
FLOW = "flow-events"


async def listening(world: EngineWorld, *triggers: dict[str, Any], **nodes: Any) -> None:
    """The bot has a flow with these triggers, and one person, who has written."""
    document = {
        "schema": "flow/1", "slug": "events", "name": "Events", "start": "note",
        "triggers": [TAG, ASK, *triggers], "nodes": NODES | nodes,
    }  # fmt: skip
    world.view.put(flow_version(document, flow=FLOW))
    world.view.put(flow("events", id=FLOW))
    await world.say("hello")


async def news(world: EngineWorld) -> list[str]:
    """What the bot said since it said "Sorry." to the first message."""
    return [text for text in await world.said() if text != "Sorry."]


class EventsSuite:
    """Test classes inherit it and give a `world` fixture."""

    async def test_what_a_flow_does_is_told_behind_it_once(self, world: EngineWorld) -> None:
        await listening(world, on("tag.added", when="event.tag == 'vip'"))
        first = await world.say("/tag")
        assert await news(world) == ["Tagged.", "tag.added vip"]
        (written,) = [record for record in world.out("inbound") if b'"kind":"event"' in (record.value or b"")]
        world.lay(written.value, (written.key or b"").decode(), written.headers)  # As a repeat, after a crash.
        world.put("message", message_id="m", text="/tag", id=first)
        await world.settle()
        await world.say("/tag")
        assert await news(world) == ["Tagged.", "tag.added vip", "Tagged."]

    async def test_of_what_no_flow_listens_to_nothing_is_written(self, world: EngineWorld) -> None:
        await listening(world, on("tag.removed"))
        await world.say("/tag")
        assert await news(world) == ["Tagged."]
        assert world.out("inbound") == []

    async def test_another_program_changes_the_contact(self, world: EngineWorld) -> None:
        await listening(world, on("tag.added"), on("contact.updated"))
        await world.send("contact_update", add_tags=["a", "b"], profile={"city": "Riga"})
        assert await news(world) == ["contact.updated ", "tag.added a", "tag.added b"]
        id = (await world.contact()).id
        await write(world, id, add_tags=["c"])  # Of the contact itself: it is told where the person wrote last.
        assert (await news(world))[-1] == "tag.added c"

    async def test_a_contact_without_a_conversation_begins_nothing(self, world: EngineWorld) -> None:
        await listening(world, on("contact.created"))
        assert await news(world) == ["contact.created "]
        await make(world, add_tags=["a"], profile={"external_id": str(uuid4())})
        assert await news(world) == ["contact.created "]
        assert world.dead() == []

    async def test_it_runs_like_a_call_from_where_the_conversation_waits(self, world: EngineWorld) -> None:
        await listening(world, on("tag.added"), on("tag.removed", "ask"))
        await world.say("/ask")
        await world.send("contact_update", add_tags=["a"])
        await world.say("Ann")
        assert await news(world) == ["Name?", "tag.added a", "Hi Ann"]
        await world.say("/ask")
        await world.send("contact_update", remove_tags=["a"])
        (ended,) = world.events("session.expired")
        assert ended["reason"] == "superseded"
        await world.say("Ben")
        assert (await news(world))[3:] == ["Name?", "Name?", "Hi Ben"]

    async def test_flows_that_cause_each_other_come_to_an_end(self, world: EngineWorld) -> None:
        turn = {"type": "tag", "remove": ["b"], "ports": {"next": "again"}}
        again = {"type": "tag", "add": ["b"], "ports": {"next": "note"}}
        await listening(world, on("tag.added", "turn"), turn=turn, again=again)
        await world.send("contact_update", add_tags=["b"])
        assert len(await news(world)) == MOST_HOPS
        (failed,) = world.events("flow.failed")
        assert failed["error"]["type"] == "too-many-hops"
        assert "tag.added" in failed["error"]["detail"]
        await world.say("/tag")
        assert "Tagged." in await news(world)

    async def test_several_at_a_time_end_sooner(self, world: EngineWorld) -> None:
        turn = {"type": "tag", "remove": ["b", "c"], "ports": {"next": "again"}}
        again = {"type": "tag", "add": ["b", "c"], "ports": {"next": "note"}}
        await listening(world, on("tag.added", "turn"), turn=turn, again=again)
        await world.send("contact_update", add_tags=["b", "c"])
        assert 30 <= len(await news(world)) <= 128

    async def test_what_became_of_a_flow_is_not_told_to_itself(self, world: EngineWorld) -> None:
        await listening(world, on("flow.completed"), on("flow.failed"))
        assert await news(world) == ["flow.completed "]  # Of the other flow, which said "Sorry.".
        await world.say("/tag")
        assert await news(world) == ["flow.completed ", "Tagged."]

    async def test_who_has_unsubscribed_is_not_written_to(self, world: EngineWorld) -> None:
        bye = {"type": "unsubscribe", "ports": {"next": "after"}}
        command = {"id": "bye", "type": "command", "value": "/bye", "to": "bye"}
        told = {"type": "tag", "add": ["left"], "ports": {"next": "note"}}
        await listening(world, on("bot.unsubscribed", "told"), command, bye=bye, told=told)
        await world.say("/bye")
        assert await news(world) == ["Tagged."]
        assert (await world.contact()).tags == ["left"]
        (failed,) = world.events("flow.failed")
        assert failed["error"]["type"] == "peer-not-reachable"

    async def test_agents_give_it_back(self, world: EngineWorld) -> None:
        await listening(world, on("live_chat.closed"), on("tag.added"))
        kim = {"id": str(uuid4()), "name": "Kim"}
        await world.send("owner", to="agent", by=kim)
        await world.send("contact_update", add_tags=["a"])
        assert await news(world) == []
        await world.send("owner", to="bot", by=kim)
        assert await news(world) == ["live_chat.closed released"]

    async def test_a_webhook_of_a_step_was_received_or_given_up(self, world: EngineWorld) -> None:
        await listening(world, on("webhook.sent"), on("delivery.exhausted"))
        id = (await world.contact()).id
        about = {"contact_id": id, "title": "Paid", "conversation": f"{BOT}/{WEB}/p1"}
        await world.send("webhook_received", "-", channel="-", key=f"{BOT}/-/{id}", **about)
        assert await news(world) == ["webhook.sent Paid"]
        data = {"title": "Paid", "error": {"type": "refused", "detail": "410"}}
        await world.send("event", type="delivery.exhausted", data=data)
        assert await news(world) == ["webhook.sent Paid", "delivery.exhausted Paid"]

    async def test_of_an_import_nothing_begins(self, world: EngineWorld) -> None:
        await listening(world, on("tag.added"))
        id = (await world.contact()).id
        line = {"line": 1, "event_id": str(uuid4()), "contact_id": id, "add_tags": ["imported"]}
        await world.send("contact_import", "-", channel="-", key=f"{BOT}/-/{uuid4()}", lines=[line])
        assert (await world.contact()).tags == ["imported"]
        assert await news(world) == []
