"""A person is erased, whatever is under way: on the twin in memory and on PostgreSQL."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import orjson

from contracts import actions
from contracts.ids import derived_id
from flow_engine.store.port import Name
from support.engine_own_contacts_suite import NOTHING_KNOWN, REPLY, make, write
from support.engine_world import BOT, PROJECT, TELEGRAM, EngineWorld

BEFORE, AFTER = "2026-11-21T00:01:30.000Z", "2026-11-21T00:02:00.000Z"
"""What was received at the records' usual time is older than the first."""


def put_erasure(world: EngineWorld, contact: str, **more: Any) -> str:
    """Lay down the record that begins it; its request id."""
    request = str(uuid4())
    asked: dict[str, Any] = {
        "erasure": derived_id("erasure", contact),
        "contact_ids": [contact],
        "begins": True,
        "received_at": BEFORE,
    }
    reply = REPLY | {"request_id": request}
    world.put("erase", "-", channel="-", key=f"{BOT}/-/{contact}", reply_to=reply, **asked | more)
    return request


async def erase(world: EngineWorld, contact: str) -> dict[str, Any]:
    """What who asked for it is told; all of it is applied then."""
    request = put_erasure(world, contact)
    await world.settle()
    world.at_ms += 1
    (told,) = [one for one in world.bodies("replies") if one["request_id"] == request]
    return told


async def imported(
    world: EngineWorld, *profiles: dict[str, str], file: str | None = None, **when: str
) -> list[dict[str, Any]]:
    """What is told of each line; of a `file` that has a key it is known again."""
    own = file or str(uuid4())
    digest = {"digest": file} if file else {}
    lines = [
        {"line": number, "event_id": derived_id(own, number), "profile": profile, **digest}
        for number, profile in enumerate(profiles, 1)
    ]
    reply = REPLY | {"request_id": str(uuid4())}
    key = f"{BOT}/-/{own}"
    await world.send("contact_import", "-", channel="-", key=key, lines=lines, reply_to=reply, **when)
    return list(world.bodies("replies")[-1]["lines"])


def refusals(told: list[dict[str, Any]]) -> list[str | None]:
    return [one.get("problem", {}).get("type") for one in told]


def answer_of(world: EngineWorld, wait: str, **more: Any) -> dict[str, Any]:
    call = world.bodies("actions")[-1]
    return {"action_id": call["id"], "wait": wait, "outcome": "ok", "status": 200, "body": {"left": 3}, **more}


def kinds(world: EngineWorld) -> list[str]:
    return [one["kind"] for one in world.bodies("actions")]


class ErasingSuite:
    """Test classes inherit it and give a `world` fixture."""

    async def test_all_that_is_kept_of_a_person_goes_and_the_dispatcher_is_told(self, world: EngineWorld) -> None:
        said = await world.say("hello?", profile={"name": "Anna"}, verified=[])
        id = (await world.contact()).id
        told = await erase(world, id)
        assert (told["status"], told["contact_id"]) == ("completed", id)
        stored = await world.stored()
        assert (stored.loaded, stored.contact, await world.said()) == (None, None, [])
        assert await world.store.event(said) is None
        told_to = {one["conversation"]: one["contact_ids"] for one in world.bodies("actions") if one["kind"] == "erase"}
        assert told_to == {f"{BOT}/web-1/p1": [id], f"{BOT}/-/{id}": [id]}
        assert all(actions.ActionAdapter.validate_python(one) for one in world.bodies("actions"))
        findings = [orjson.loads(one.value or b"")["data"] for one in world.written["switchhook.findings.v1"]]
        assert [one["event_ids"] for one in findings] == [[], [said]]
        (event,) = world.events("contact.erased")
        assert event["contact"] == NOTHING_KNOWN | {"id": id}

    async def test_who_writes_again_is_somebody_new_and_no_number_comes_twice(self, world: EngineWorld) -> None:
        await world.say("/start", profile={"name": "Anna"})
        before = (await world.stored()).loaded
        assert before is not None
        old = (await world.contact()).id
        await erase(world, old)
        await world.say("/start", received_at=AFTER, profile={"name": "Ben"})
        after = (await world.stored()).loaded
        assert after is not None
        assert (await world.contact()).profile == {"name": "Ben"}
        assert (await world.contact()).id != old
        assert after.conversation.version > before.conversation.version
        assert after.conversation.next_seq > before.conversation.next_seq

    async def test_what_was_received_before_is_dropped_and_who_asks_hears_so(self, world: EngineWorld) -> None:
        first = await world.say("hello?", profile={"name": "Anna"})
        await erase(world, (await world.contact()).id)
        await world.say("hello again", profile={"name": "Anna"})
        await world.say("hello?", id=first, received_at=AFTER, profile={"name": "Anna"})
        await world.send("reachability", state="blocked", profile={"name": "Anna"})
        assert (await world.stored()).loaded is None
        asked = REPLY | {"request_id": "late"}
        await world.send("start", source="trigger", flow_id="flow-1", reply_to=asked)
        (told,) = [one for one in world.bodies("replies") if one["request_id"] == "late"]
        assert (told["status"], told["problem"]["type"]) == ("rejected", "contact-not-found")

    async def test_a_name_that_was_erased_leads_nothing_older_to_who_has_it_now(self, world: EngineWorld) -> None:
        who: dict[str, Any] = {"profile": {"external_id": "c-7"}, "verified": ["external_id"]}
        await world.say("hello?", **who)
        await erase(world, (await world.contact()).id)
        await world.say("hello?", "p2", received_at=AFTER, **who)
        named = {"channel": "-", "key": f"{BOT}/-/external_id:c-7", "person": {"external_id": "c-7"}}
        for at, kept in ((None, 0), (AFTER, 1)):
            when = {"received_at": at} if at else {}
            await world.send("contact_update", "-", variables={"points": 3}, **named, **when)
            assert len((await world.contact("p2")).variables) == kept

    async def test_nothing_older_makes_who_was_erased_anew(self, world: EngineWorld) -> None:
        who = {"external_id": "c-7", "phone": "+371 2000 0000"}
        await erase(world, await make(world, profile=who))
        other = await make(world, profile={"external_id": "c-8"})
        for profile in (who, {"phone": who["phone"]}):
            refused = await write(world, str(uuid4()), create=True, profile=profile)
            assert (refused["status"], refused["problem"]["type"]) == ("rejected", "contact-not-found")
        told = await imported(world, who, {"phone": who["phone"]}, {"external_id": "c-8", "phone": who["phone"]})
        assert refusals(told) == ["contact-not-found", "contact-not-found", None]
        assert told[2]["contact_id"] == other
        assert len(world.events("contact.created")) == 2
        assert refusals(await imported(world, who, received_at=AFTER)) == [None]

    async def test_the_first_message_of_another_conversation_that_is_older_begins_nothing(
        self, world: EngineWorld
    ) -> None:
        for place, who in enumerate(({"external_id": "c-7"}, {"phone": "+371 2000 0000"})):
            vouched: dict[str, Any] = {"profile": who, "verified": list(who)}
            one, another = f"p{place}", f"q{place}"
            await world.say("hello?", one, **vouched)
            await erase(world, (await world.contact(one)).id)
            await world.say("hello?", another, **vouched)
            assert (await world.stored(another)).loaded is None
            await world.say("hello?", another, received_at=AFTER, **vouched)
            assert (await world.stored(another)).loaded is not None

    async def test_an_older_message_tells_a_known_contact_nothing_of_who_was_erased(self, world: EngineWorld) -> None:
        who = {"external_id": "c-7", "phone": "+371 2000 0000"}
        vouched: dict[str, Any] = {"profile": {"name": "Ben", **who}, "verified": list(who)}
        await world.say("hello?", profile=who, verified=list(who))
        await world.say("hello?", "q1", profile={"name": "Bo"}, verified=[])
        await erase(world, (await world.contact()).id)
        await world.say("late", "q1", **vouched)
        other = await world.contact("q1")
        assert other.profile == {"name": "Ben"}
        named = {"channel": "-", "key": f"{BOT}/-/external_id:c-7", "person": {"external_id": "c-7"}}
        await world.send("contact_update", "-", variables={"points": 3}, received_at=AFTER, **named)
        assert (await world.contact("q1")).variables == {}
        await world.say("now", "q1", received_at=AFTER, **vouched)
        assert (await world.contact("q1")).profile == {"name": "Ben", **who}

    async def test_an_older_message_tells_nothing_of_who_was_erased_to_whom_the_record_before_it_has_made(
        self, world: EngineWorld
    ) -> None:
        who = {"external_id": "c-7", "phone": "+371 2000 0000"}
        await world.say("hello?", profile=who, verified=list(who))
        await erase(world, (await world.contact()).id)
        world.put("message", "q1", message_id="m1", text="hello?")
        world.put("message", "q1", message_id="m2", text="late", profile={"name": "Ben", **who}, verified=list(who))
        await world.settle()  # Both in one batch.
        assert (await world.contact("q1")).profile == {"name": "Ben"}

    async def test_a_file_that_is_sent_again_under_its_key_makes_nobody_who_was_erased(
        self, world: EngineWorld
    ) -> None:
        """Not those whom it made, nor whom it changed, nor who was refused because they had been erased."""
        known = await make(world, profile={"external_id": "c-1"})
        lines = ({"external_id": "c-1", "name": "Anna"}, {"external_id": "c-2"}, {"name": "Ben"}, {"name": "Cora"})
        first = await imported(world, *lines, file="file-1")
        assert (refusals(first), first[0]["contact_id"]) == ([None] * 4, known)
        for told in first[:3]:
            await erase(world, told["contact_id"])
        late = await imported(world, *lines[:2], file="file-2")
        assert refusals(late) == ["contact-not-found"] * 2
        somebody_new = await make(world, profile={"external_id": "c-1"}, received_at=AFTER)
        made = len(world.events("contact.created"))
        again = await imported(world, *lines, file="file-1", received_at=AFTER)
        assert refusals(again) == ["contact-not-found"] * 3 + [None]
        assert again[3]["contact_id"] == first[3]["contact_id"]
        assert await imported(world, *lines[:2], file="file-2", received_at=AFTER) == late
        assert len(world.events("contact.created")) == made
        async with world.store.reading() as reads:
            found = await reads.contacts([(BOT, somebody_new)])
        assert found[somebody_new].contact.profile == {"external_id": "c-1"}

    async def test_a_contact_create_that_comes_again_makes_nobody_who_was_erased(self, world: EngineWorld) -> None:
        own, event = str(uuid4()), str(uuid4())
        asked: dict[str, Any] = {"create": True, "profile": {"name": "Ben"}, "id": event, "request_digest": "d"}
        await erase(world, (await write(world, own, **asked))["contact_id"])
        for at in ({}, {"received_at": AFTER}):
            again = await write(world, own, **asked, **at)
            assert (again["status"], again["problem"]["type"]) == ("rejected", "contact-not-found")
        assert len(world.events("contact.created")) == 1

    async def test_a_session_that_waits_goes_with_its_timers(self, world: EngineWorld) -> None:
        await world.say("/later", profile={"name": "Anna"})
        assert (await world.store.due_timers([0]))[0].seconds is not None
        await erase(world, (await world.contact()).id)
        assert (await world.store.due_timers([0]))[0].seconds is None

    async def test_the_answer_of_a_call_that_was_under_way_comes_to_nobody(self, world: EngineWorld) -> None:
        await world.say("/seats", profile={"name": "Anna"})
        assert kinds(world)[-1] == "call_api"
        wait = world.bodies("actions")[-1]["wait"]
        late = answer_of(world, wait)
        await erase(world, (await world.contact()).id)
        await world.send("call_result", received_at=AFTER, **late)
        assert (await world.stored()).loaded is None
        await world.say("/seats", received_at=AFTER)
        assert world.bodies("actions")[-1]["wait"] != wait

    async def test_what_became_of_an_old_message_is_told_to_nobody(self, world: EngineWorld) -> None:
        await world.say("/start", channel=TELEGRAM)
        message = next(one for one in world.bodies("actions") if one["kind"] == "send_message")
        await erase(world, (await world.contact(channel=TELEGRAM)).id)
        await world.say("/start", channel=TELEGRAM, received_at=AFTER)
        told = len(world.events("message.sent"))
        result = {"action_id": message["id"], "seq": message["seq"], "outcome": "sent", "received_at": AFTER}
        await world.send("message_result", channel=TELEGRAM, **result)
        assert len(world.events("message.sent")) == told

    async def test_events_that_wait_in_a_held_conversation_go(self, world: EngineWorld) -> None:
        await world.say("hello?", profile={"name": "Anna"})
        bad = str(uuid4())
        world.handler.turn_bugs[bad] = RuntimeError("bug")
        await world.say("secret", id=bad)
        await world.say("and more")
        assert await world.held() == 2
        await erase(world, (await world.contact()).id)
        assert await world.held() == 0
        await world.say("hello?", received_at=AFTER)
        assert (await world.stored()).loaded is not None

    async def test_events_that_wait_under_a_name_go(self, world: EngineWorld) -> None:
        await world.say("hello?", profile={"phone": "+4917012345"}, verified=["phone"])
        key, bad = f"{BOT}/-/phone:0049 170 12345", str(uuid4())
        world.handler.bugs[bad.encode()] = RuntimeError("bug")
        person = {"phone": "0049 170 12345"}
        await world.send("contact_update", "-", channel="-", key=key, id=bad, person=person, variables={"x": 1})
        assert len(await world.store.held_conversations(None, 10)) == 1
        await erase(world, (await world.contact()).id)
        assert await world.store.held_conversations(None, 10) == []

    async def test_erased_twice_is_erased_once(self, world: EngineWorld) -> None:
        await world.say("hello?")
        id = (await world.contact()).id
        first, second = put_erasure(world, id), put_erasure(world, id)
        await world.settle()
        told = {one["request_id"]: one["status"] for one in world.bodies("replies")}
        assert (told[first], told[second]) == ("completed", "completed")
        assert len(world.events("contact.erased")) == 1
        assert (await write(world, id, profile={"name": "late"}))["problem"]["type"] == "contact-not-found"
        nobody = await erase(world, str(uuid4()))
        assert nobody["problem"]["type"] == "contact-not-found"

    async def test_a_record_of_an_erasure_that_comes_again_takes_nothing_from_who_came_after(
        self, world: EngineWorld
    ) -> None:
        await world.say("hello?")
        await erase(world, (await world.contact()).id)
        again = next(one for one in world.out("inbound") if orjson.loads(one.value or b"")["kind"] == "erase")
        await world.say("hello?", received_at=AFTER, profile={"name": "Ben"})
        world.lay(again.value, (again.key or b"").decode(), again.headers)
        await world.settle()
        assert (await world.contact()).profile == {"name": "Ben"}

    async def test_who_was_merged_goes_with_who_is_left(self, world: EngineWorld) -> None:
        await world.say("hello?", "p1", profile={"name": "Anna"})
        await world.say("hello?", "p2", profile={"name": "Annie"})
        left, other = (await world.contact("p1")).id, (await world.contact("p2")).id
        world.put("contact_update", "-", channel="-", key=f"{BOT}/-/{left}", merge=other)
        await erase(world, left)
        assert (await world.stored("p1")).loaded is None
        assert (await world.stored("p2")).loaded is None
        async with world.store.reading() as reads:
            assert await reads.contacts([(BOT, left), (BOT, other)]) == {}

    async def test_who_is_merged_before_the_erasure_comes_is_erased_with_who_is_left(self, world: EngineWorld) -> None:
        """Also where nobody waits for the answer: each of the two jobs ends."""
        left, other, third = [await make(world, profile={"name": name}) for name in ("Anna", "Annie", "Ann")]
        for own, merge in ((left, other), (third, left)):
            world.put("contact_update", "-", channel="-", key=f"{BOT}/-/{own}", merge=merge)
        request = put_erasure(world, other)
        await world.settle()
        (told,) = [one for one in world.bodies("replies") if one["request_id"] == request]
        assert (told["status"], told["contact_id"]) == ("completed", third)
        async with world.store.reading() as reads:
            assert await reads.contacts([(BOT, id) for id in (left, other, third)]) == {}
            assert all([await reads.begun(derived_id("erasure", id)) for id in (left, other, third)])
        assert len(world.events("contact.erased")) == 1

    async def test_held_lines_of_imports_and_contacts_to_be_made_tell_nothing_of_the_person(
        self, world: EngineWorld
    ) -> None:
        id = await make(world, profile={"external_id": "c-7"})
        lines = [
            {"line": 1, "event_id": str(uuid4()), "profile": {"external_id": "c-7", "name": "Anna"}},
            {"line": 2, "event_id": str(uuid4()), "contact_id": id, "variables": {"of": "Anna"}},
            {"line": 3, "event_id": str(uuid4()), "profile": {"name": "Ben"}},
        ]
        create: dict[str, Any] = {"create": True, "profile": {"external_id": "c-7", "name": "Anna"}}
        for kind, more in (("contact_import", {"lines": lines}), ("contact_update", create)):
            world.handler.bugs[(bad := str(uuid4())).encode()] = RuntimeError("bug")
            await world.send(kind, "-", channel="-", key=f"{BOT}/-/{kind}", id=bad, **more)
        await erase(world, id)
        (held,) = await world.store.held_conversations(None, 10)
        (event,) = await world.store.held_events(held.conversation, None, 10)
        assert (b"Anna" in (event.value or b""), b"Ben" in (event.value or b"")) == (False, True)
        await world.send("redrive", "-", channel="-", key=held.key, received_at=AFTER)
        assert len(world.events("contact.created")) == 2

    async def test_a_merge_of_who_is_erased_is_refused(self, world: EngineWorld) -> None:
        left, other = await make(world, profile={"name": "Anna"}), await make(world, profile={"name": "Ben"})
        await erase(world, other)
        assert (await write(world, left, merge=other))["problem"]["type"] == "contact-not-found"

    async def test_a_change_that_stands_before_the_erasure_is_made_and_goes_with_it(self, world: EngineWorld) -> None:
        id = await make(world, profile={"name": "Anna"})
        reply = REPLY | {"request_id": "before"}
        world.put("contact_update", "-", channel="-", key=f"{BOT}/-/{id}", variables={"points": 3}, reply_to=reply)
        put_erasure(world, id)
        late = REPLY | {"request_id": "after"}
        change: dict[str, Any] = {"variables": {"points": 4}, "reply_to": late, "received_at": AFTER}
        world.put("contact_update", "-", channel="-", key=f"{BOT}/-/{id}", **change)
        await world.settle()
        told = {one["request_id"]: one["status"] for one in world.bodies("replies")}
        assert (told["before"], told["after"]) == ("completed", "rejected")
        async with world.store.reading() as reads:
            assert await reads.contacts([(BOT, id)]) == {}

    async def test_what_comes_while_the_contact_is_gone_makes_nobody(self, world: EngineWorld) -> None:
        """The conversation's own record stands behind it."""
        await world.say("hello?", profile={"name": "Anna"})
        id = (await world.contact()).id
        put_erasure(world, id)
        world.put("message", message_id="m2", text="/start", profile={"name": "Anna"}, received_at=AFTER)
        await world.settle()
        assert (await world.stored()).loaded is None
        assert len(world.events("contact.created")) == 1
        assert len(world.events("message.received")) == 1

    async def test_a_caller_who_waits_hears_that_there_is_nobody(self, world: EngineWorld) -> None:
        await world.say("hello?", profile={"name": "Anna"})
        asked = REPLY | {"request_id": "waits"}
        await world.say("/seats", reply_to=asked)
        assert not [one for one in world.bodies("replies") if one["request_id"] == "waits"]
        await erase(world, (await world.contact()).id)
        (told,) = [one for one in world.bodies("replies") if one["request_id"] == "waits"]
        assert told["status"] == "rejected"

    async def test_the_name_is_free_for_somebody_else(self, world: EngineWorld) -> None:
        id = await make(world, profile={"external_id": "c-1"})
        await erase(world, id)
        async with world.store.reading() as reads:
            assert await reads.named([Name(BOT, "external_id", "c-1")]) == {}
        assert await make(world, profile={"external_id": "c-1"}, received_at=AFTER) != id

    async def test_the_dispatchers_word_ends_it(self, world: EngineWorld) -> None:
        id = await make(world)
        await erase(world, id)
        job = derived_id("erasure", id)
        done = {"project_id": PROJECT, "erasure": job}
        await world.send("erasure_done", "-", channel="-", key=f"{BOT}/-/{id}", **done)
        async with world.store.reading() as reads:
            assert await reads.begun(job)
