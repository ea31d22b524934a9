"""Agents in a conversation: what its partition decides, on any store."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from flow_engine.state.ids import timer_id
from flowlang.model import Conversation
from support.engine_deferring_suite import slow
from support.engine_world import TELEGRAM, EngineWorld, flow, flow_version

KIM, LEE = {"id": "a1", "name": "Kim"}, {"id": "a2", "name": "Lee"}
DESK: dict[str, Any] = {
    "schema": "flow/1", "slug": "desk", "name": "Desk", "start": "human",
    "triggers": [{"id": "human", "type": "command", "value": "/human", "to": "human"}],
    "nodes": {
        "human": {
            "type": "live_chat", "queue": "Sales", "text": "A colleague is coming.", "timeout": "PT1S",
            "ports": {"closed": "back", "timeout": "nobody"},
        },
        "back": {"type": "say", "parts": [{"text": "I am back."}]},
        "nobody": {"type": "say", "parts": [{"text": "Nobody is here."}]},
    },
}  # fmt: skip


async def ask(world: EngineWorld, kind: str, **fields: Any) -> dict[str, Any]:
    """What an agent who waits is told of a write."""
    request_id = put(world, kind, **fields)
    await world.settle()
    return next(body for body in world.bodies("replies") if body["request_id"] == request_id)


def put(world: EngineWorld, kind: str, **fields: Any) -> str:
    """Lay it down; its request's id."""
    request_id = str(uuid4())
    reply_to = {"instance": "engine-1", "partition": 0, "until": "rest", "request_id": request_id}
    world.put(kind, reply_to=reply_to, **fields)
    return request_id


async def take(world: EngineWorld, by: dict[str, str] = KIM, **fields: Any) -> dict[str, Any]:
    return await ask(world, "owner", **{"to": "agent", "by": by} | fields)


async def release(world: EngineWorld, by: dict[str, str] = KIM, to: str = "bot", **fields: Any) -> dict[str, Any]:
    return await ask(world, "owner", to=to, by=by, **fields)


async def owned(world: EngineWorld) -> Conversation:
    """The conversation as it is kept."""
    loaded = (await world.stored()).loaded
    assert loaded is not None
    return loaded.conversation


def actions(world: EngineWorld) -> list[tuple[str, int, str | None]]:
    """(kind, owner epoch, agent) of each message and supersede."""
    kinds = ("send_message", "supersede_messages")
    return [
        (body["kind"], body.get("owner_epoch", 0), body.get("agent_id"))
        for body in world.bodies("actions")
        if body["kind"] in kinds
    ]


class LiveChatSuite:
    """Test classes inherit it and give a `world` fixture."""

    async def test_an_agent_writes_to_the_person_and_it_is_logged_and_told_as_the_agents(
        self, world: EngineWorld
    ) -> None:
        await world.say("hello?")
        assert (await take(world))["status"] == "completed"
        told = await ask(world, "agent_message", agent=KIM, text="Hello, I am Kim.")
        (message,) = told["messages"]
        assert (told["status"], message["content"]["text"], message["agent"]) == ("completed", "Hello, I am Kim.", KIM)
        assert (await world.said())[-1] == "Hello, I am Kim."
        sent = world.events("message.sent")[-1]["message"]
        assert (sent["text"], sent["agent"], sent["seq"]) == ("Hello, I am Kim.", KIM, message["seq"])
        (opened,) = world.events("live_chat.opened")
        assert opened["agent"] == KIM
        media = {"type": "file", "url": "https://shop.example.com/invoice.pdf", "name": "Invoice"}
        (message,) = (await ask(world, "agent_message", agent=KIM, text="", media=media))["messages"]
        assert (message["content"]["text"], message["content"]["media"]) == ("", media)
        assert world.events("message.sent")[-1]["message"]["media"] == media

    async def test_the_bot_is_silent_and_the_persons_words_are_told_meanwhile(self, world: EngineWorld) -> None:
        await world.say("hello?")
        await take(world)
        before = await world.said()
        await world.say("/start")
        assert await world.said() == before
        assert [told["message"]["text"] for told in world.events("message.received")] == ["hello?", "/start"]
        assert (await release(world))["status"] == "completed"
        await world.say("/start")
        assert await world.said() != before

    async def test_two_agents_at_once_are_decided_by_their_order(self, world: EngineWorld) -> None:
        await world.say("hello?")
        first, second = (put(world, "owner", to="agent", by=one) for one in (KIM, LEE))
        await world.settle()
        told = {body["request_id"]: body for body in world.bodies("replies")}
        assert told[first]["status"] == "completed"
        refused = told[second]["problem"]
        assert (refused["type"], refused["status"], refused["reason"]) == ("already-taken", 409, "a1")
        assert "Kim" in refused["detail"]

    async def test_messages_carry_the_owner_epoch_and_each_change_by_an_agent_supersedes(
        self, world: EngineWorld
    ) -> None:
        there: dict[str, Any] = {"channel": TELEGRAM}
        world.view.put(flow_version(DESK, flow="desk"), flow("desk", id="desk"))
        await world.say("/human", **there)
        await take(world, **there)
        await ask(world, "agent_message", agent=KIM, text="Hi", **there)
        await release(world, **there)
        assert actions(world) == [
            ("send_message", 1, None),
            ("supersede_messages", 2, None),
            ("send_message", 2, "a1"),
            ("supersede_messages", 3, None),
            ("send_message", 3, None),
        ]

    async def test_on_a_channel_that_is_in_house_nothing_is_on_its_way(self, world: EngineWorld) -> None:
        await world.say("hello?")
        await take(world)
        assert actions(world) == []

    async def test_the_queue_times_out_back_to_the_bot(self, world: EngineWorld) -> None:
        world.view.put(flow_version(DESK, flow="desk"), flow("desk", id="desk"))
        await world.say("/human")
        await world.timers.fire_due()
        await world.settle()
        assert await world.said() == ["A colleague is coming.", "Nobody is here."]
        assert [told["reason"] for told in world.events("live_chat.closed")] == ["timeout"]
        refused = await ask(world, "agent_message", agent=KIM, text="Hi")
        assert refused["problem"]["type"] == "not-your-conversation"

    async def test_a_session_that_is_lost_meanwhile_leaves_the_time_out_to_the_conversation(
        self, world: EngineWorld
    ) -> None:
        world.view.put(flow_version(DESK, flow="desk"), flow("desk", id="desk"))
        await world.say("/human")
        await world.say("too far", hops=17)
        assert (await owned(world)).session is None
        await world.timers.fire_due()
        await world.settle()
        assert (await owned(world)).owner == "bot"
        assert [told["reason"] for told in world.events("live_chat.closed")] == ["timeout"]
        await world.say("/human")
        assert (await owned(world)).owner == "queued"

    async def test_a_time_out_whose_turn_fails_gives_it_back_all_the_same(self, world: EngineWorld) -> None:
        world.view.put(flow_version(DESK, flow="desk"), flow("desk", id="desk"))
        await world.say("/human")
        waiting = await owned(world)
        assert waiting.queue_timer is not None
        timer = timer_id(waiting.key, waiting.queue_timer)
        await world.send("timer", wait=waiting.queue_timer, timer_id=timer, hops=17)
        left = await owned(world)
        assert (left.owner, left.owner_epoch, left.session) == ("bot", 2, None)
        assert [told["reason"] for told in world.events("live_chat.closed")] == ["timeout"]

    async def test_of_a_time_out_and_an_agent_the_first_in_the_partition_counts(self, world: EngineWorld) -> None:
        world.view.put(flow_version(DESK, flow="desk"), flow("desk", id="desk"))
        await world.say("/human")
        put(world, "owner", to="agent", by=KIM)
        await world.timers.fire_due()  # Its record comes after the agent's.
        await world.settle()
        assert await world.said() == ["A colleague is coming."]
        assert (await owned(world)).owner == "a1"
        assert world.events("live_chat.closed") == []
        await release(world)
        assert (await world.said())[-1] == "I am back."

    async def test_a_takeover_in_the_middle_of_a_turn_comes_after_it(self, world: EngineWorld) -> None:
        sandbox = slow(world)
        world.put("message", message_id="m1", text="/run", channel=TELEGRAM)
        await world.apply()
        put(world, "owner", to="agent", by=KIM, channel=TELEGRAM)
        await world.apply()
        assert world.events("live_chat.opened") == []
        sandbox.gate.set()
        await world.settle()
        kinds = [kind for kind, _, _ in actions(world)]
        assert kinds[-1] == "supersede_messages"
        assert kinds.count("send_message") == 2
        assert len(world.events("live_chat.opened")) == 1

    async def test_a_repeat_of_a_takeover_is_answered_as_the_first_one(self, world: EngineWorld) -> None:
        await world.say("hello?")
        same: dict[str, Any] = {"id": "take-1", "request_digest": "d"}
        assert [(await take(world, **same))["status"] for _ in range(2)] == ["completed", "completed"]
        assert len(world.events("live_chat.opened")) == 1
        assert (await take(world, LEE, **same | {"request_digest": "e"}))["problem"]["type"] == "idempotency-key-reused"

    async def test_a_note_is_kept_and_never_sent(self, world: EngineWorld) -> None:
        await world.say("hello?", channel=TELEGRAM)
        before, sent = await world.said(channel=TELEGRAM), len(world.out("actions"))
        told = await ask(world, "agent_note", agent=KIM, text="A good customer.", channel=TELEGRAM)
        assert told["status"] == "completed"
        assert (await world.said(channel=TELEGRAM), len(world.out("actions"))) == (before, sent)

    async def test_unread_counts_what_no_agent_has_read(self, world: EngineWorld) -> None:
        async def unread() -> int:
            return (await owned(world)).unread

        await world.say("hello?")
        await take(world)
        await world.say("are you there?")
        await world.say("hello?")
        assert await unread() == 2
        await ask(world, "agent_read", agent=KIM)
        assert await unread() == 0

    async def test_a_link_that_works_once_is_not_spent_while_an_agent_has_the_conversation(
        self, world: EngineWorld
    ) -> None:
        await world.say("hello?")
        await take(world)
        opened: dict[str, Any] = {"link_id": "l1", "command": "/code", "content": "x", "single_use": True}
        assert (await ask(world, "url", **opened))["problem"]["type"] == "with-an-agent"
        await release(world)
        assert (await ask(world, "url", **opened)).get("problem", {}).get("type") != "link-gone"
