"""Batches, repeats, failures and timers of the engine: one suite, over the twin in memory and over PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest

from contracts.cloudevents import headers
from contracts.ids import derived_id
from flow_engine.batch import held_shares, parking
from flow_engine.state.ids import timer_id
from flow_engine.state.rows import TimerRow
from flow_engine.state.work import Work
from flow_engine.store.timers import LOOKED_AT
from servicekit.kafka.records import Record
from servicekit.loop.batches import Infrastructure
from support.engine_conversation_suite import KEY, PAID, asked, by_request, replies, texts
from support.engine_flows import LECTURE
from support.engine_world import AT, BOT, PROJECT, TELEGRAM, WEB, EngineWorld, flow, flow_version


class BatchSuite:
    """What a batch does: repeats, poison, held conversations, limits. Test classes inherit it and give a `world`."""

    async def test_events_of_one_batch_are_applied_in_their_order(self, world: EngineWorld) -> None:
        for text in ("/start", "what?", "Kafka"):
            world.put("message", message_id=text, text=text)
            world.put("message", "p2", message_id=text, text=text)
        await world.settle()
        assert world.batches == [6]
        for peer in ("p1", "p2"):
            assert await world.said(peer) == ["Which lecture, ?", "One of these, please.", "Kafka it is."]
        loaded = (await world.stored()).loaded
        assert loaded is not None
        assert loaded.read_version == 3

    async def test_a_conversation_that_is_new_is_what_its_first_event_says(self, world: EngineWorld) -> None:
        """Events that know less of it may be in the same batch, as when a restored database reads them once more."""
        world.put("message", channel=TELEGRAM, message_id="1", text="/start")
        result: dict[str, Any] = {"channel": TELEGRAM, "action_id": str(uuid4()), "seq": 1, "outcome": "sent"}
        world.put("message_result", channel_type=None, **result)
        await world.settle()
        assert world.batches == [2]
        assert [body["channel_type"] for body in world.bodies("actions")] == ["telegram"]

    async def test_the_same_event_makes_one_turn_and_its_repeat_gets_the_first_answer(self, world: EngineWorld) -> None:
        await world.say("hello?")
        id = await world.send("start", id="6b1c2c64-0000-5000-8000-000000000001", **PAID)
        assert await world.said() == ["Sorry.", "Paid: n1"]
        await world.send("start", id=id, **asked(2), **PAID)
        (again,) = replies(world)
        assert (again["request_id"], again["status"], again["answer"]) == ("r2", "completed", "Paid: n1")
        assert texts(again["messages"]) == ["Paid: n1"]
        assert await world.said() == ["Sorry.", "Paid: n1"]

    async def test_a_repeat_in_the_same_batch_gets_the_first_answer(self, world: EngineWorld) -> None:
        await world.say("hello?")
        for number in range(2):
            world.put("start", id="6b1c2c64-0000-5000-8000-000000000001", **asked(number), **PAID)
        await world.settle()
        assert [body["answer"] for body in replies(world)] == ["Paid: n1", "Paid: n1"]
        assert await world.said() == ["Sorry.", "Paid: n1"]

    async def test_a_repeat_of_what_still_runs_waits_with_the_first(self, world: EngineWorld) -> None:
        await world.say("hello?")
        start: dict[str, Any] = {"source": "trigger", "flow_id": "flow-2", "entry": "asked"}
        for number in range(2):
            await world.send("start", id="6b1c2c64-0000-5000-8000-000000000001", **asked(number), **start)
        (call,) = world.bodies("actions")
        result: dict[str, Any] = {
            "action_id": call["id"],
            "wait": call["wait"],
            "outcome": "ok",
            "body": {"memory": {"seats": 4}},
        }
        await world.send("call_result", **result)
        assert {name: body["answer"] for name, body in by_request(world).items()} == {
            "r0": "Seats: 4",
            "r1": "Seats: 4",
        }

    async def test_a_batch_that_is_applied_again_makes_the_same_records(self, world: EngineWorld) -> None:
        """As after a commit whose outcome is not known, when nothing was saved."""
        world.put("message", message_id="1", text="/start", id="6b1c2c64-0000-5000-8000-00000000000a", channel=TELEGRAM)
        commits = [await world.compute() for _ in range(2)]
        assert commits[0].outgoing == commits[1].outgoing

    async def test_poison_goes_to_the_dead_letters_and_holds_nothing_up(self, world: EngineWorld) -> None:
        good = headers(id="e1", type="inbound.message", source="test", time=AT)
        world.lay(b"not json", KEY, good)
        world.lay(b'{"kind": "message"}', KEY, good)
        world.lay(b"{}", KEY, headers(id="e2", type="inbound.unheard_of", source="test", time=AT))
        world.lay(b"{}", KEY, [*good, ("odd", b"\xff\xfe")])
        world.lay(b'"' + b"x" * 2_000_000 + b'"', KEY, good)
        await world.say("hello?")
        assert await world.said() == ["Sorry."]
        assert world.dead() == ["not-json", "wrong-schema", "unknown-type", "bad-header", "too-large"]

    async def test_a_failing_event_holds_its_conversation_and_no_other(self, world: EngineWorld) -> None:
        await world.say("/start")
        world.handler.bugs[b"bad"] = KeyError("a bug")
        world.put("message", message_id="2", text="what?", id="bad")
        world.put("message", message_id="3", text="Kafka")
        world.put("message", "p2", message_id="1", text="hello?")
        await world.settle()
        assert await world.said(peer="p2") == ["Sorry."]
        assert world.dead() == ["failed"]
        assert (await world.held(), await world.said()) == (2, ["Which lecture, ?"])
        world.handler.bugs.clear()
        world.put("message", message_id="4", text="hello?")
        world.put("redrive")
        world.put("message", message_id="5", text="hello?")
        await world.settle()
        assert await world.said() == [
            "Which lecture, ?", "One of these, please.", "Kafka it is.", "Sorry.", "Sorry."
        ]  # fmt: skip
        assert await world.held() == 0

    async def test_a_redrive_that_fails_again_leaves_everything_held(self, world: EngineWorld) -> None:
        world.handler.bugs = {b"bad": KeyError("a bug"), b"redrive": KeyError("still a bug")}
        world.put("message", message_id="1", text="/start", id="bad")
        world.put("message", message_id="2", text="Kafka")
        world.put("redrive", id="redrive")
        await world.settle()
        assert world.dead() == ["failed", "failed"]
        assert await world.held() == 2

    async def test_a_redrive_of_many_goes_on_by_itself(self, world: EngineWorld) -> None:
        world.handler.bugs[b"bad"] = KeyError("a bug")
        world.put("message", message_id="0", text="hello?", id="bad")
        for number in range(2 * parking.AT_ONCE):
            world.put("message", message_id=str(number), text="hello?")
        await world.settle()
        assert await world.held() == 2 * parking.AT_ONCE + 1
        world.handler.bugs.clear()
        await world.send("redrive")
        assert (await world.held(), len(world.out("inbound"))) == (0, 2)
        assert len(world.events("message.received")) == 2 * parking.AT_ONCE + 1

    async def test_a_redrive_loads_so_many_bytes_and_goes_on_by_itself(
        self, world: EngineWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A hundred large events are half a gigabyte when they are decoded."""
        world.handler.bugs[b"bad"] = KeyError("a bug")
        world.put("message", message_id="0", text="hello?", id="bad")
        for number in range(40):
            world.put("message", message_id=str(number), text="x" * 1_000)
        await world.settle()
        assert await world.held() == 41
        world.handler.bugs.clear()
        monkeypatch.setattr(parking, "MOST_BYTES", 5_000)
        await world.send("redrive")
        assert (await world.held(), len(world.events("message.received"))) == (0, 41)
        assert len(world.out("inbound")) > 41 / 5
        monkeypatch.setattr(parking, "MOST_BYTES", 1)
        world.handler.bugs[b"again"] = KeyError("a bug")
        for number in range(3):
            world.put("message", message_id=f"b{number}", text="hello?", **({} if number else {"id": "again"}))
        await world.settle()
        world.handler.bugs.clear()
        await world.send("redrive")
        assert (await world.held(), len(world.events("message.received"))) == (0, 44)

    async def test_what_many_redrives_of_a_batch_load_is_bounded_together(
        self, world: EngineWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """250 redrives of as many conversations loaded a gigabyte: the batch ends before the first for which there is no room."""
        people = [f"p{number}" for number in range(5)]
        for person in people:
            world.handler.bugs[person.encode()] = KeyError("a bug")
            world.put("message", person, message_id="0", text="x" * 4_000, id=person)
        await world.settle()
        world.handler.bugs.clear()
        monkeypatch.setattr(parking, "MOST_BYTES", 5_000)
        for person in people:
            world.put("redrive", person)
        world.batches.clear()
        await world.settle()
        assert world.batches == [2, 2, 1]
        assert len(world.events("message.received")) == 5
        assert [await world.held(person) for person in people] == [0] * 5

    async def test_a_held_conversation_of_a_project_with_too_many_bytes_waiting_lets_no_more_wait(
        self, world: EngineWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(held_shares, "MOST_BYTES", 3_000)
        monkeypatch.setattr(held_shares, "AGAIN_SECONDS", 0.0)
        world.handler.bugs[b"bad"] = KeyError("a bug")
        world.put("message", message_id="0", text="x" * 3_000, id="bad")
        await world.settle()
        dead = len(world.dead())
        await world.say("hello?")
        assert (await world.held(), len(world.dead()) - dead) == (1, 1)
        await world.say("/start", "p2")
        assert await world.said("p2") != []

    async def test_a_redriven_timer_ends_its_wait(self, world: EngineWorld) -> None:
        """A held event takes the road of any other: what it needs of the store is loaded for it, too."""
        await world.say("/later")
        await world.timers.fire_due()
        (fired,) = world.out("inbound")
        world.handler.bugs[dict(fired.headers)["ce_id"]] = KeyError("a bug")
        await world.settle()
        assert await world.held() == 1
        world.handler.bugs.clear()
        await world.send("redrive")
        assert (await world.held(), await world.said()) == (0, ["Soon.", "Here I am."])

    async def test_a_redriven_event_that_names_a_person_is_passed_on(self, world: EngineWorld) -> None:
        await world.say("hello?")
        contact = await world.contact()
        world.handler.bugs[b"bad"] = KeyError("a bug")
        about: dict[str, Any] = {"person": {"contact_id": contact.id}, "channel": "-", "name": "thing.happened"}
        world.put("signal", "bad", id="bad", **about)
        await world.settle()
        world.handler.bugs.clear()
        await world.send("redrive", "bad", channel="-")
        assert [body["peer_id"] for body in world.bodies("inbound")] == ["p1"]
        assert await world.store.held_conversations(None, 10) == []

    async def test_a_redriven_event_that_cannot_be_read_any_more_goes_to_the_dead_letters(
        self, world: EngineWorld
    ) -> None:
        about = tuple(headers(id="e1", type="inbound.message", source="test", time=AT))
        record = Record(world.topic, 0, 1, world.at_ms, KEY.encode(), b"of an earlier release", about)
        async with world.transaction() as connection:
            await world.store.hold(record, KEY, "KeyError: a bug", connection)
        await world.say("hello?")
        await world.send("redrive")
        assert (await world.held(), world.dead()) == (0, ["not-json"])
        assert await world.said() == ["Sorry."]

    async def test_a_failed_redrive_says_which_event_failed(self, world: EngineWorld) -> None:
        world.handler.bugs[b"bad"] = KeyError("a bug")
        world.put("message", message_id="1", text="hello?", id="bad")
        world.put("message", message_id="2", text="hello?", id="worse")
        await world.settle()
        world.handler.bugs.clear()
        world.handler.turn_bugs["worse"] = KeyError("another bug")
        await world.send("redrive")
        (held,) = await world.store.held_conversations(None, 10)
        events = await world.store.held_events(held.conversation, None, 10)
        assert [event.error for event in events] == ["KeyError: 'a bug'", "KeyError: 'another bug'"]
        assert await world.store.discard_held(held.conversation, [events[1].position]) == 1
        await world.send("redrive")
        assert (await world.held(), await world.said()) == (0, ["Sorry."])

    async def test_a_held_conversation_takes_no_more_than_its_limit(self, world: EngineWorld) -> None:
        world.handler.bugs[b"bad"] = KeyError("a bug")
        world.put("message", message_id="0", text="hello?", id="bad")
        for number in range(parking.MOST_HELD + 1):
            world.put("message", message_id=str(number), text="hello?")
        await world.settle()
        assert await world.held() == parking.MOST_HELD
        assert world.dead() == ["failed", "failed", "failed"]

    async def test_a_timer_that_was_held_has_its_effect(self, world: EngineWorld) -> None:
        await world.say("/later")
        await world.timers.fire_due()
        fired = dict(world.waiting[-1].headers)["ce_id"] or b""
        world.handler.bugs[fired] = KeyError("a bug")
        await world.settle()
        world.handler.bugs.clear()
        await world.send("redrive")
        assert await world.said() == ["Soon.", "Here I am."]

    async def test_a_conversation_that_begins_with_a_held_event_is_the_one_that_it_began(
        self, world: EngineWorld
    ) -> None:
        """A redrive says nothing of the channel's type."""
        world.handler.bugs[b"bad"] = KeyError("a bug")
        world.put("message", message_id="1", text="hello?", id="bad")
        await world.settle()
        world.handler.bugs.clear()
        await world.send("redrive", channel_type=None)
        assert (await world.said(), len(world.events("message.sent")), world.out("actions")) == (["Sorry."], 1, [])

    async def test_a_redrive_of_what_is_not_held_does_nothing(self, world: EngineWorld) -> None:
        await world.say("/start")
        await world.send("redrive")
        await world.send("redrive", "p2")
        assert await world.said() == ["Which lecture, ?"]
        assert (world.dead(), world.out("inbound")) == ([], [])

    async def test_many_timers_of_a_project_do_not_stand_before_those_of_another(self, world: EngineWorld) -> None:
        work, now = Work(), datetime.now(UTC)
        rows = [TimerRow(timer_id(KEY, f"w{n}"), 77, KEY, "many", f"w{n}", now - timedelta(hours=9)) for n in range(20)]
        work.start_timers([*rows, TimerRow(timer_id(KEY, "other"), 77, KEY, "another", "other", now)])
        async with world.transaction() as connection:
            await world.store.save(work, connection)
        async with world.transaction() as connection:
            fired = await world.store.fire_timers(77, 5, connection, 5)
        assert sorted(one.wait == "other" for one in fired) == [False] * 4 + [True]

    async def test_a_backlog_of_one_projects_timers_is_passed_over_by_those_of_another(
        self, world: EngineWorld
    ) -> None:
        """Seen: of 5,001 that one project had due for longer, 5,000 were looked at, and nobody else's."""
        work, now = Work(), datetime.now(UTC)
        waits = [f"w{n}" for n in range(LOOKED_AT + 1)]
        work.start_timers([
            *(TimerRow(timer_id(KEY, wait), 78, KEY, "many", wait, now - timedelta(hours=9)) for wait in waits),
            TimerRow(timer_id(KEY, "other"), 78, KEY, "another", "other", now),
            TimerRow(timer_id(KEY, "later"), 78, KEY, "a-third", "later", now + timedelta(hours=9)),
        ])  # fmt: skip
        async with world.transaction() as connection:
            await world.store.save(work, connection)
        fired = []
        async with world.transaction() as connection:
            for _ in range(2):
                fired.append([one.project_id for one in await world.store.fire_timers(78, 5, connection, 5)])
        assert [sorted(set(each)) for each in fired] == [["another", "many"], ["many"]]
        assert [len(each) for each in fired] == [5, 5]

    async def test_so_many_timers_of_each_project_are_fired(self, world: EngineWorld) -> None:
        work, now = Work(), datetime.now(UTC)
        rows = [TimerRow(timer_id(KEY, f"{of}{n}"), 77, KEY, of, f"{of}{n}", now) for of in "ab" for n in range(5)]
        work.start_timers(rows)
        async with world.transaction() as connection:
            await world.store.save(work, connection)
        async with world.transaction() as connection:
            fired = await world.store.fire_timers(77, 9, connection, 2)
        assert sorted(one.project_id for one in fired) == ["a", "a", "b", "b"]

    async def test_a_delay_ends_by_its_timer_once(self, world: EngineWorld) -> None:
        await world.say("/later")
        assert await world.said() == ["Soon."]
        assert await world.timers.fire_due() >= 0
        await world.timers.fire_due()
        await world.settle()
        assert await world.said() == ["Soon.", "Here I am."]
        (fired,) = world.out("inbound")
        world.lay(fired.value, KEY, fired.headers)
        await world.settle()
        assert await world.said() == ["Soon.", "Here I am."]
        await world.timers.fire_due()
        assert len(world.out("inbound")) == 1

    async def test_a_fired_timer_whose_record_is_gone_fires_again(
        self, world: EngineWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its record was deleted, or dropped with its topic: the wait would never end."""
        monkeypatch.setattr("flow_engine.batch.timers.LOST_SECONDS", -60.0)
        await world.say("/later")
        await world.timers.fire_due()
        await world.timers.fire_lost()
        assert len(world.out("inbound")) == 1, "its record waits to be applied"
        world.waiting.clear()
        await world.timers.fire_lost()
        await world.settle()
        assert await world.said() == ["Soon.", "Here I am."]
        await world.timers.fire_lost()
        assert len(world.out("inbound")) == 2

    async def test_a_timer_without_a_row_does_nothing(self, world: EngineWorld) -> None:
        await world.say("/later")
        timer = derived_id("timer", "of nobody")
        await world.send("timer", id=derived_id("timer", timer), timer_id=timer, wait="w")
        assert await world.said() == ["Soon."]
        loaded = (await world.stored()).loaded
        assert loaded is not None
        assert loaded.read_version == 1

    async def test_an_event_waits_for_the_flow_that_its_writer_knew(self, world: EngineWorld) -> None:
        about = headers(id="e1", type="inbound.message", source="test", time=AT)
        body = {"kind": "message", "project_id": PROJECT, "bot_id": BOT, "channel_id": WEB, "channel_type": "webchat",
                "peer_id": "p1", "received_at": AT, "message_id": "1", "text": "/new"}  # fmt: skip
        ahead = str(world.view.offset + 2).encode()
        world.lay(orjson.dumps(body), KEY, [*about, ("swh-registry-offset", ahead)])
        with pytest.raises(Infrastructure):
            await world.compute()
        new = {"id": "new", "type": "command", "value": "/new", "to": "kafka"}
        document = {**LECTURE, "slug": "newer", "triggers": [new]}
        world.view.put(flow_version(document, flow="flow-99"), flow("newer", id="flow-99"))
        await world.settle()
        assert await world.said() == ["Kafka it is."]

    async def test_a_batch_ends_early_when_its_budget_is_spent_and_the_rest_comes_again(
        self, world: EngineWorld
    ) -> None:
        for number in range(3):
            world.put("message", message_id=str(number), text="hello?")
        world.restart(compute_budget=0)
        await world.settle()
        assert world.batches == [1, 1, 1]
        assert await world.said() == ["Sorry."] * 3
