"""What callers who wait hear of the engine: one suite, over the twin in memory and over PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest

from support.engine_conversation_suite import PAID, asked, by_request, replies, texts
from support.engine_world import BOT, TELEGRAM, WEB, EngineWorld

KEYED: dict[str, Any] = {"id": "6b1c2c64-0000-5000-8000-000000000001", "request_digest": "a" * 32}
"""An event under an Idempotency-Key of its caller."""
OTHER: dict[str, Any] = {**PAID, "variables": {"order_id": "n2"}, "trigger_id": "t1"}


class CallersSuite:
    """What those hear who wait for an event. Test classes inherit it and give a `world`."""

    @pytest.mark.parametrize("together", [True, False], ids=["one-batch", "two-batches"])
    async def test_another_request_under_a_used_key_is_refused(self, world: EngineWorld, *, together: bool) -> None:
        await world.say("hello?")
        world.put("start", **asked(1), **KEYED, **PAID)
        if not together:
            await world.settle()
        world.put("start", **asked(2), **KEYED | {"request_digest": "b" * 32}, **OTHER)
        world.put("start", **asked(3), **KEYED, **PAID)
        await world.settle()
        found = by_request(world)
        problem = found["r2"]["problem"]
        assert (problem["type"], problem["status"]) == ("idempotency-key-reused", 422)
        assert [found[name]["status"] for name in ("r1", "r2", "r3")] == ["completed", "rejected", "completed"]
        assert await world.said() == ["Sorry.", "Paid: n1"]
        assert (await world.logged(KEYED["id"])).status == "completed"

    async def test_who_does_not_wait_learns_by_an_event_that_the_key_was_used(self, world: EngineWorld) -> None:
        await world.say("hello?")
        await world.send("start", **KEYED, **PAID)
        for digest in ("b", "c"):
            await world.send("start", **KEYED | {"request_digest": digest * 32}, **OTHER)
        told = world.events("trigger.rejected")
        assert [(event["problem"]["type"], event["trigger_id"]) for event in told] == [
            ("idempotency-key-reused", "t1")
        ] * 2
        assert len({dict(record.headers)["ce_id"] for record in world.out("events")}) == len(world.out("events"))

    async def test_a_used_key_is_known_in_another_conversation(self, world: EngineWorld) -> None:
        for peer in ("p1", "p2"):
            await world.say("hello?", peer)
        await world.send("contact_update", "p2", profile={"email": "ann@example.com"})
        await world.send("start", **asked(1), **KEYED, **PAID)
        other = KEYED | {"request_digest": "b" * 32}
        await world.send("start", "p2", **asked(2), **other, **OTHER)
        person = {"email": "ann@example.com"}
        key = f"{BOT}/-/email:ann@example.com"
        await world.send("start", "-", channel="-", key=key, person=person, **asked(3), **other, **OTHER)
        found = by_request(world)
        assert [found[name].get("problem", {}).get("type") for name in ("r2", "r3")] == ["idempotency-key-reused"] * 2
        assert await world.said("p2", WEB) == ["Sorry."]

    async def test_who_waits_is_answered_at_a_pause_with_what_was_said(self, world: EngineWorld) -> None:
        event = await world.say("/later", **asked(1))
        (paused,) = replies(world)
        assert (paused["status"], paused["answer"], texts(paused["messages"])) == ("waiting", "Soon.", ["Soon."])
        assert (await world.logged(event)).status == "waiting"
        await world.timers.fire_due()
        await world.settle()
        assert await world.said() == ["Soon.", "Here I am."]
        assert (await world.logged(event)).status == "completed"
        assert len(replies(world)) == 1

    async def test_who_opened_a_url_waits_through_a_pause_for_the_last_word(self, world: EngineWorld) -> None:
        await world.say("hello?")
        await world.send("url", link_id="l", command="/later", **asked(1))
        assert replies(world) == []
        await world.timers.fire_due()
        await world.settle()
        (answered,) = replies(world)
        assert (answered["status"], answered["answer"]) == ("completed", "Here I am.")

    async def test_a_followed_link_is_told_with_its_contact(self, world: EngineWorld) -> None:
        await world.say("hello?", profile={"name": "Anna"})
        event = await world.send("link_followed", link_id="l", url="https://shop.example/a", node="offer")
        (told,) = world.events("redirect.followed")
        assert (told["link"], told["node"]) == ({"id": "l", "url": "https://shop.example/a", "node": "offer"}, "offer")
        assert (told["contact"]["name"], told["channel"]["type"], told["event_id"]) == ("Anna", "webchat", event)
        assert await world.said() == ["Sorry."]

    async def test_a_peer_is_found_on_whichever_channel_it_is(self, world: EngineWorld) -> None:
        await world.say("hello?", "p9", channel=TELEGRAM)
        await world.send("url", "link", channel="-", content="tell", link_id="link", command="/code")
        assert await world.said("p9", TELEGRAM) == ["Sorry.", "Which lecture, ?"]

    async def test_a_command_that_may_not_run_for_somebody_leaves_an_event(self, world: EngineWorld) -> None:
        await world.send("url", "link", channel="-", content="tell", link_id="link", command="/code")
        (told,) = world.events("command.rejected")
        assert (told["command"], told["problem"]["reason"]) == ({"kind": "run", "name": "/start"}, "has-not-talked")

    async def test_a_topic_of_a_group_is_answered_in_and_the_next_message_decides_again(
        self, world: EngineWorld
    ) -> None:
        group = {"channel": TELEGRAM, "chat": "group"}
        await world.say("/start", "-100", thread="77", **group)
        await world.send("start", "-100", **group, **PAID)
        await world.say("/start", "-100", **group)
        sent = [body for body in world.bodies("actions") if body["kind"] == "send_message"]
        assert [body.get("thread") for body in sent] == ["77", "77", None]

    async def test_a_text_is_sent_in_as_many_messages_as_the_channel_needs(self, world: EngineWorld) -> None:
        await world.say("hello?", "p9", channel=TELEGRAM)
        order = " ".join(["word"] * 1500)
        await world.send("start", "p9", channel=TELEGRAM, **PAID | {"variables": {"order_id": order}})
        sent = [body for body in world.bodies("actions") if body["kind"] == "send_message"]
        assert [(body["seq"], len(body["content"]["text"])) for body in sent] == [(1, 6), (2, 4095), (3, 3409)]
        assert " ".join(await world.said("p9", TELEGRAM)) == f"Sorry. Paid: {order}"

    async def test_a_bot_that_is_taken_out_of_a_group_has_been_unsubscribed(self, world: EngineWorld) -> None:
        group = {"channel": TELEGRAM, "chat": "group"}
        await world.send("reachability", "-100", state="subscribed", reason="member", **group)
        await world.send("reachability", "-100", state="not_in_chat", reason="kicked", **group)
        (told,) = world.events("bot.unsubscribed")
        assert told["reason"] == "kicked"
