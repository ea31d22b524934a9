"""Turns that are made apart from their batch, on any store."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from contracts.replies import ReplyAdapter
from flow_engine.batch import held_shares, loading, parking
from flow_engine.programs.deferring import MOST_TRIES
from flow_engine.state.work import Work
from flow_engine.store.port import HeldEvent
from flowlang.model import PatchContact, RunCode
from flowtools.sandbox import MakeUrl
from servicekit.kafka.records import Record
from support.engine_world import PARTITION, EngineWorld, ScriptedSandbox, flow, flow_version

TO = {"instance": "i-1", "partition": 2, "until": "rest"}


class GatedSandbox(ScriptedSandbox):
    """Runs end when the test says so. `failure` is raised by the run itself, which no code can cause."""

    def __init__(self, **result: Any) -> None:
        super().__init__(**result)
        self.gate = asyncio.Event()
        self.failure: Exception | None = None

    async def run(self, code: RunCode, make_url: MakeUrl) -> dict[str, Any]:
        result = await super().run(code, make_url)
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return result


def with_code(**node: Any) -> dict[str, Any]:
    """What is said before and after a code node; a delay leads to one, too."""
    told = {"type": "say", "parts": [{"text": "{{ event.text }} {{ user.city }} {{ memory.value }}."}]}
    triggers = [{"id": id, "type": "command", "value": f"/{id}", "to": id} for id in ("run", "pause")]
    return {
        "schema": "flow/1", "slug": "slow", "name": "Slow", "start": "run", "triggers": triggers,
        "nodes": {
            "run": {"type": "say", "parts": [{"text": "Wait."}], "ports": {"next": "code"}},
            "pause": {"type": "delay", "for": "PT1S", "ports": {"next": "code"}},
            "code": {"type": "code", "source": "1", "save_to": "temp.value", "ports": {"next": "told"}, **node},
            "told": told,
        },
    }  # fmt: skip


def slow(world: EngineWorld, **result: Any) -> GatedSandbox:
    """The world's code nodes wait for the gate, and its bot has a flow with one."""
    world.sandbox = sandbox = GatedSandbox(**{"value": 7} | result)
    world.patience = 0.001
    world.restart(compute_budget=10)
    world.view.put(flow_version(with_code(save_to="memory.value"), flow="slow"), flow("slow", id="slow"))
    return sandbox


async def taken_over(world: EngineWorld) -> None:
    """By another process, which has what the first one committed."""
    await world.deferring.close()
    world.restart(compute_budget=10)
    async with world.transaction() as connection:
        await world.handler.on_assigned({PARTITION}, connection)


class DeferringSuite:
    """Test classes inherit it and give a `world`."""

    async def test_a_neighbours_turn_goes_on_while_code_runs(self, world: EngineWorld) -> None:
        sandbox = slow(world)
        world.put("message", message_id="1", text="/run")
        world.put("message", "p2", message_id="2", text="/start")
        async with asyncio.timeout(5):
            await world.apply()
        assert (await world.said(), await world.said("p2")) == ([], ["Which lecture, ?"])
        sandbox.gate.set()
        await world.settle()
        assert await world.said() == ["Wait.", "/run  7."]
        assert len(sandbox.ran) == 1

    async def test_what_follows_in_the_conversation_waits_behind_it_in_its_order(self, world: EngineWorld) -> None:
        sandbox = slow(world)
        await_one: dict[str, Any] = {"reply_to": TO | {"request_id": "r-1"}}
        world.put("message", message_id="1", text="/start")
        world.put("message", message_id="2", text="/run", id="again")
        world.put("message", message_id="3", text="hello?")
        await world.apply()
        world.put("message", message_id="2", text="/run", id="again", **await_one)
        world.put("message", message_id="4", text="/seats")
        await world.apply()
        assert (await world.said(), await world.held()) == (["Which lecture, ?"], 4)
        sandbox.gate.set()
        await world.settle()
        said = ["Which lecture, ?", "Wait.", "/run  7.", "One of these, please."]
        assert (await world.said(), await world.held()) == (said, 0)
        (answer,) = [ReplyAdapter.validate_json(record.value or b"") for record in world.out("replies")]
        assert (answer.request_id, answer.status) == ("r-1", "completed")

    @pytest.mark.parametrize("together", [True, False])
    async def test_a_used_key_is_known_while_its_first_request_waits(
        self, world: EngineWorld, *, together: bool
    ) -> None:
        sandbox = slow(world)
        await world.say("hello?", "p2")
        world.put("command", command="/run", id="key-1", request_digest="a" * 32)
        if not together:
            await world.apply()
        await_one: dict[str, Any] = {"reply_to": TO | {"request_id": "r-1"}}
        world.put("command", "p2", command="/run", id="key-1", request_digest="b" * 32, **await_one)
        await world.apply()
        (answer,) = [ReplyAdapter.validate_json(record.value or b"") for record in world.out("replies")]
        assert (answer.status, answer.problem.type) == ("rejected", "idempotency-key-reused")
        sandbox.gate.set()
        await world.settle()
        assert (await world.said("p2"), await world.held("p2")) == (["Sorry."], 0)

    @pytest.mark.parametrize("done", [False, True], ids=["while it runs", "when it has ended"])
    async def test_a_process_that_dies_loses_and_repeats_nothing(self, world: EngineWorld, done: bool) -> None:
        sandbox = slow(world)
        world.put("message", message_id="1", text="/run")
        world.put("message", message_id="2", text="hello?")
        await world.apply()
        if done:
            sandbox.gate.set()
            await world.deferring.to_wake()
        await taken_over(world)
        sandbox.gate.set()
        await world.settle()
        assert await world.said() == ["Wait.", "/run  7.", "Sorry."]
        assert len(sandbox.ran) == 2
        (created,) = world.events("contact.created")
        assert created["contact"]["id"] == (await world.contact()).id

    async def test_a_wake_that_comes_twice_or_too_early_does_nothing(self, world: EngineWorld) -> None:
        sandbox = slow(world)
        await world.say("/start", "p2")
        world.put("message", message_id="1", text="/run")
        await world.apply()
        for peer in ("p1", "p1", "p2", "p3"):
            world.put("redrive", peer, deferred=True)
        await world.apply()
        assert (await world.said(), len(sandbox.ran)) == ([], 1)
        sandbox.gate.set()
        await world.settle()
        await world.send("redrive", deferred=True)
        assert await world.said() == ["Wait.", "/run  7."]
        assert world.deferring.is_idle

    async def test_a_wake_from_before_takes_the_turn_of_its_batch_away_from_nobody(self, world: EngineWorld) -> None:
        """A batch that could not be saved (a full disk) had its turn woken all the same: both come again, in one batch."""
        sandbox = slow(world)
        world.put("message", message_id="1", text="/run")
        world.put("redrive", deferred=True)
        await world.apply()
        sandbox.gate.set()
        async with asyncio.timeout(5):
            await world.settle()
        assert (await world.said(), await world.held()) == (["Wait.", "/run  7."], 0)

    async def test_what_a_batch_of_the_hold_before_has_begun_is_forgotten(self, world: EngineWorld) -> None:
        """Nothing was saved of it, and its turns would take the places of others for ever."""
        slow(world)
        world.put("message", message_id="1", text="/run")
        await world.compute()
        assert not world.deferring.is_idle
        async with world.transaction() as connection:
            await world.handler.on_assigned({PARTITION}, connection)
        assert world.deferring.is_idle

    async def test_what_the_person_is_meanwhile_counts(self, world: EngineWorld) -> None:
        """The turn is made again of what is known then; code is a function of it."""
        sandbox = slow(world)
        await world.say("hello?")
        world.put("message", message_id="1", text="/run")
        await world.apply()
        contact = (await world.contact()).id
        async with world.transaction() as connection:
            await change(world, contact, {"city": "Bonn"}, connection)
        sandbox.gate.set()
        await world.settle()
        assert (await world.said())[1:] == ["Wait.", "/run Bonn 7."]
        assert len(sandbox.ran) == 2

    async def test_who_changes_all_the_time_is_waited_for_in_the_batch_at_last(self, world: EngineWorld) -> None:
        sandbox = slow(world)
        await world.say("hello?")
        world.put("message", message_id="1", text="/run")
        await world.apply()
        sandbox.gate.set()
        contact = (await world.contact()).id
        for number in range(MOST_TRIES):
            await world.waking.wake(await world.deferring.to_wake())
            async with world.transaction() as connection:
                await change(world, contact, {"city": f"c{number}"}, connection)
            sandbox.gate.clear() if number < MOST_TRIES - 1 else sandbox.gate.set()
            await world.apply()
            sandbox.gate.set()
        assert (await world.said())[1:] == ["Wait.", f"/run c{MOST_TRIES - 1} 7."]
        assert len(sandbox.ran) == MOST_TRIES + 1
        assert world.deferring.is_idle

    async def test_a_timer_whose_turn_is_deferred_has_its_effect(self, world: EngineWorld) -> None:
        sandbox = slow(world)
        await world.say("/pause")
        await world.timers.fire_due()
        await world.apply()
        assert len(sandbox.ran) == 1
        sandbox.gate.set()
        await world.settle()
        assert await world.said() == ["  7."]

    async def test_a_url_for_nobody_and_for_once_works_once(self, world: EngineWorld) -> None:
        sandbox = slow(world, sent=["Paid."])
        opened: dict[str, Any] = {
            "link_id": "l1",
            "command": "/code",
            "single_use": True,
            "channel": "-",
            "channel_type": None,
        }
        for number in (1, 2):
            world.put("url", "l1", **opened, id=f"e{number}", reply_to=TO | {"request_id": f"r-{number}"})
        await world.apply()
        sandbox.gate.set()
        await world.settle()
        answers = [ReplyAdapter.validate_json(record.value or b"") for record in world.out("replies")]
        assert [(answer.request_id, answer.status) for answer in answers] == [("r-1", "completed"), ("r-2", "rejected")]

    async def test_a_deferred_turn_that_fails_unexpectedly_holds_its_conversation(self, world: EngineWorld) -> None:
        sandbox = slow(world)
        sandbox.failure = KeyError("a bug")
        world.put("message", message_id="1", text="/run")
        world.put("message", message_id="2", text="hello?")
        await world.apply()
        sandbox.gate.set()
        await world.settle()
        await taken_over(world)
        await world.settle()
        assert (world.dead(), await world.held(), await world.said()) == (["failed"], 2, [])
        sandbox.failure = None
        await world.send("redrive")
        assert await world.said() == ["Wait.", "/run  7.", "Sorry."]

    async def test_a_conversation_with_too_many_waiting_events_loses_none(self, world: EngineWorld) -> None:
        sandbox = slow(world)
        world.put("message", message_id="1", text="/run")
        await world.apply()
        for number in range(parking.MOST_HELD // 250):
            for each in range(249):
                world.put("message", message_id=f"{number}/{each}", text="hello?")
            await world.apply()
        assert await world.held() == 1 + 249 * 4
        sandbox.gate.set()
        world.put("message", message_id="x", text="hello?")
        for each in range(249):
            world.put("message", message_id=f"x/{each}", text="hello?")
        await world.apply()
        assert await world.held() <= parking.MOST_HELD
        await world.settle()
        assert (await world.held(), world.dead()) == (0, [])
        assert len(world.events("message.received")) == 1 + 249 * 4 + 250
        assert (await world.said())[:3] == ["Wait.", "/run  7.", "Sorry."]

    async def test_a_crowded_conversation_with_large_events_is_loaded_in_parts_and_loses_none(
        self, world: EngineWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """All that a batch brings was loaded besides, of any size: 250 of the largest are 60 MB, decoded four times as much."""
        sandbox = slow(world)
        monkeypatch.setattr(parking, "MOST_HELD", 20)
        monkeypatch.setattr(loading, "MOST_HELD", 20)
        monkeypatch.setattr(parking, "MOST_BYTES", 5_000)
        decoded: list[int] = []
        as_if_at = parking.as_if_at

        def noting(held: HeldEvent, cause: Record) -> Record:
            decoded.append(len(held.value or b""))
            return as_if_at(held, cause)

        monkeypatch.setattr(parking, "as_if_at", noting)
        world.put("message", message_id="1", text="/run")
        await world.apply()
        for number in range(19):
            world.put("message", message_id=f"a{number}", text="x" * 1_000)
        await world.apply()
        sandbox.gate.set()
        for number in range(30):
            world.put("message", message_id=f"b{number}", text="hello?")
        await world.apply()
        assert 0 < sum(decoded) <= 5_000
        await world.settle()
        assert (await world.held(), world.dead()) == (0, [])
        assert len(world.events("message.received")) == 50

    async def test_a_project_of_which_too_many_bytes_wait_defers_no_more_and_what_waits_is_applied(
        self, world: EngineWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its slow turns and large events filled the database's disk, a gigabyte in a minute."""
        slow(world)
        monkeypatch.setattr(held_shares, "MOST_BYTES", 3_000)
        monkeypatch.setattr(held_shares, "AGAIN_SECONDS", 0.0)
        world.put("message", message_id="1", text="/run")
        await world.apply()
        world.put("message", message_id="2", text="x" * 3_000)
        await world.apply()
        assert await world.held() == 2
        world.put("message", "p2", message_id="3", text="/run")
        await world.apply()
        assert (await world.held("p2"), await world.said("p2")) == (0, ["Wait."])
        assert "wait for turns that take long" in world.events("flow.failed")[0]["error"]["detail"]
        world.put("message", message_id="4", text="hello?")
        await world.settle()
        assert (await world.held(), world.dead()) == (0, [])
        assert await world.said() == ["Wait.", "Sorry.", "Sorry."]
        world.put("message", "p3", message_id="5", text="/run")
        await world.apply()
        assert await world.held("p3") == 1

    async def test_a_batch_defers_what_takes_long_and_makes_the_rest_itself(self, world: EngineWorld) -> None:
        """Code nodes that have ended within its patience leave nothing to be waited for."""
        sandbox = slow(world)
        world.patience = 5.0
        world.restart(compute_budget=10)
        sandbox.gate.set()
        world.put("message", message_id="1", text="/run")
        await world.apply()
        assert await world.said() == ["Wait.", "/run  7."]
        assert world.out("inbound") == []


async def change(world: EngineWorld, contact: str, variables: dict[str, Any], connection: Any) -> None:
    """As a turn of another conversation of the person would, in another partition."""
    work = Work()
    work.patch(contact, PatchContact({f"variables.{name}": value for name, value in variables.items()}))
    await world.store.save(work, connection)
