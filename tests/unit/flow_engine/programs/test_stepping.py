"""Turns made here or in a worker: which, and what becomes of one whose worker ends."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from flow_engine.catalogue.links import LinkMaker
from flow_engine.programs import stepping
from flow_engine.programs.worker import MOST_GRAPHS, Learn, Step, StepWorker, Unknown
from flowlang.model import RunCode
from flowtools.sandbox import MakeUrl
from servicekit.credentials.links import LinkKeys
from servicekit.loop.batches import Infrastructure
from support.engine_world import EngineWorld, ScriptedSandbox, flow, flow_version

SAY_SORRY = {"type": "say", "parts": [{"text": "Sorry: {{ temp.error.type }}"}]}


def counted(*, error_port: bool = True, version: str = "one") -> dict[str, Any]:
    """Two conditions that are not cheap by their form, and an answer, then a question whose answer is told in capitals."""
    ports = {"error": "sorry"} if error_port else {}
    return {
        "schema": "flow/1", "slug": "counted", "name": "Counted", "start": "first",
        "triggers": [{"id": "go", "type": "command", "value": "/counted", "to": "first"}],
        "nodes": {
            "first": {"type": "condition", "branches": [{"if": "[1].exists(one, one == 1)", "to": "second"}], "ports": ports},
            "second": {"type": "condition", "branches": [{"if": "[2].exists(two, two == 2)", "to": "ask"}], "ports": ports},
            "ask": {"type": "ask", "text": version, "input": {"type": "text"}, "ports": {"ok": "tell"}},
            "tell": {"type": "say", "parts": [{"text": "{{ event.text | upcase }} " + version}]},
            "sorry": SAY_SORRY,
        },
    }  # fmt: skip


def with_code() -> dict[str, Any]:
    """A code node in the place of the conditions."""
    document = counted()
    run = {"type": "code", "source": "7", "save_to": "memory.seven", "ports": {"next": "ask", "error": "sorry"}}
    document["nodes"]["first"] = run
    document["nodes"].pop("second")
    return document


def put(world: EngineWorld, document: dict[str, Any], *, version: int = 1) -> None:
    world.view.put(flow_version(document, flow="counted", version=version))
    world.view.put(flow(document["slug"], id="counted", published=version))


def steps(world: EngineWorld) -> list[Step]:
    return [task for task in world.workers.asked if isinstance(task, Step)]


async def test_what_is_cheap_by_its_form_never_leaves_the_process(world: EngineWorld) -> None:
    await world.say("/start")
    await world.say("2")
    await world.say("/seats")
    assert await world.said() == ["Which lecture, ?", "You chose 2."]
    await world.say("/code", "p2")
    assert await world.said("p2") == ["Got "]
    assert world.workers.asked == []


@pytest.mark.parametrize(
    ("condition", "in_a_worker"),
    [
        ("has(user.plan) ? user.plan == 'gold' : size(event.text) > 3 && event.text.startsWith('/')", False),
        ("1 in [1] && " + "true && " * 20 + "true", True),  # Too long to be looked at.
        ("[1].exists(one, one == 1)", True),
        ("event.text.matches('^/counted$')", True),
        ("event.text == " + "event.text + " * 4 + "'' || true", False),
    ],
)
async def test_a_short_expression_without_loop_and_pattern_never_leaves_the_process(
    world: EngineWorld, condition: str, *, in_a_worker: bool
) -> None:
    document = counted()
    document["nodes"]["first"]["branches"][0] |= {"if": condition, "to": "ask"}
    put(world, document)
    await world.say("/counted")
    assert await world.said() == ["one"]
    assert bool(steps(world)) is in_a_worker


async def test_a_short_expression_that_goes_over_much_does_so_in_a_worker(world: EngineWorld) -> None:
    """The engine spends a thousandth of a second on it in vain."""
    document = counted()
    document["nodes"]["first"]["branches"][0] |= {"if": " && ".join(["event.text == event.text"] * 5), "to": "ask"}
    put(world, document)
    await world.say("/counted " + "x" * 60_000)
    assert await world.said() == ["one"]
    assert steps(world)


async def test_what_is_not_is_made_in_a_worker_that_learns_the_bots_flows_once(world: EngineWorld) -> None:
    put(world, counted())
    await world.say("/counted")
    await world.say("loud")
    assert await world.said() == ["one", "LOUD one"]
    learnt = [task.version[0] for task in world.workers.asked if isinstance(task, Learn)]
    assert sorted(learnt) == ["counted", *(f"flow-{number}" for number in range(1, 8))]
    assert len(steps(world)) == 3


@pytest.mark.parametrize("part", [1, 2])
async def test_the_part_that_ended_two_workers_leaves_by_its_error_port(world: EngineWorld, part: int) -> None:
    put(world, counted())
    world.workers.ends = lambda task, progress: progress == part
    await world.say("/counted")
    assert await world.said() == ["Sorry: program-ended"]
    assert world.workers.fresh == 2
    assert (await world.stored()).held is False


async def test_without_a_port_its_flow_has_failed(world: EngineWorld) -> None:
    put(world, counted(error_port=False))
    world.workers.ends = lambda task, progress: progress == 2
    await world.say("/counted")
    assert [event["error"]["type"] for event in world.events("flow.failed")] == ["program-ended"]


async def test_a_worker_that_ends_once_changes_nothing(world: EngineWorld) -> None:
    put(world, counted())
    world.workers.ends = lambda task, progress: progress == 1 and world.workers.fresh == 0
    await world.say("/counted")
    assert await world.said() == ["one"]
    assert world.events("flow.failed") == []


async def test_a_turn_that_ends_every_worker_has_failed_and_the_next_is_made(world: EngineWorld) -> None:
    put(world, counted())
    world.workers.ends = lambda task, progress: isinstance(task, Step)
    await world.say("/counted")
    assert [event["error"]["type"] for event in world.events("flow.failed")] == ["program-ended"]
    world.workers.ends = lambda task, progress: False
    await world.say("/counted")
    assert await world.said() == ["one"]


async def test_a_session_finds_its_version_in_the_worker_until_it_is_deleted(world: EngineWorld) -> None:
    put(world, counted())
    await world.say("/counted", "p1")
    await world.say("/counted", "p2")
    put(world, counted(version="two"), version=2)
    world.workers._do = None  # A worker that knows nothing.
    await world.say("loud", "p1")
    assert (await world.said("p1"))[-1] == "LOUD one"
    world.view.delete("flow_version", "counted/1", "project-1")
    world.workers._do = None
    await world.say("loud", "p2")
    assert [event["error"]["type"] for event in world.events("flow.failed")] == ["version-gone"]


async def test_code_runs_once_however_often_its_step_is_made(world: EngineWorld) -> None:
    world.sandbox = sandbox = ScriptedSandbox(value=7)
    world.restart(compute_budget=10)
    document = counted()
    document["nodes"]["first"]["branches"][0]["to"] = "run"
    document["nodes"] |= {
        "run": {"type": "code", "source": "7", "save_to": "memory.seven", "ports": {"next": "second"}},
        "ask": {"type": "say", "parts": [{"text": "{{ memory.seven | plus: 1 }}"}]},
    }
    document["nodes"].pop("tell")
    put(world, document)
    world.workers.ends = lambda task, progress: progress == 3 and world.workers.fresh == 0
    await world.say("/counted")
    assert await world.said() == ["8"]
    assert len(sandbox.ran) == 1


class FrozenSandbox(ScriptedSandbox):
    """While code runs the process stands still for a minute."""

    def __init__(self, clock: list[float]) -> None:
        super().__init__(value=7)
        self._clock = clock

    async def run(self, code: RunCode, make_url: MakeUrl) -> dict[str, Any]:
        self._clock[0] += 60.0
        return await super().run(code, make_url)


async def test_a_process_that_stood_still_while_code_ran_charges_its_project_no_more_than_code_may_take(
    world: EngineWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by the simulation: after a freeze all programs of a project were refused for minutes."""
    clock = [0.0]
    monkeypatch.setattr(stepping, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    world.sandbox = FrozenSandbox(clock)
    world.restart(compute_budget=10)
    put(world, with_code())
    for person in ("p1", "p2"):
        await world.say("/counted", person)
    assert (await world.said("p1"), await world.said("p2")) == (["one"], ["one"])


async def test_a_project_that_spends_its_allowance_fails_at_once_by_the_port(world: EngineWorld) -> None:
    put(world, counted())
    world.workers.ends = lambda task, progress: progress == 1
    for number in range(6):
        await world.say("/counted", f"p{number}")
    assert await world.said("p5") == ["Sorry: allowance-spent"]
    asked = len(world.workers.asked)
    await world.say("/counted", "p9")
    assert (await world.said("p9"), len(world.workers.asked)) == (["Sorry: allowance-spent"], asked)


async def test_what_turns_take_in_workers_is_spent(world: EngineWorld) -> None:
    put(world, counted())
    world.workers.cpu = 1.0
    for number in range(10):
        await world.say("/counted", f"p{number}")
    assert await world.said("p9") == ["Sorry: allowance-spent"]


async def test_what_code_takes_is_spent_and_asked_for(world: EngineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.sandbox = sandbox = ScriptedSandbox(value=7)
    world.restart(compute_budget=10)
    monkeypatch.setattr(stepping, "CODE_WAIT", -1.0)  # As if each had taken a second longer.
    monkeypatch.setattr(stepping, "LONGEST_RUN", 1.0)
    put(world, with_code())
    for number in range(10):
        await world.say("/counted", f"p{number}")
    assert (await world.said("p0"), len(sandbox.ran)) == (["one"], 3)
    assert (await world.said("p9"))[0].startswith("Sorry: ")


async def test_where_no_worker_can_be_had_nothing_is_held_and_the_batch_is_made_again(world: EngineWorld) -> None:
    put(world, counted())
    world.workers.none_there = True
    world.put("message", message_id="1", text="/counted")
    with pytest.raises(Infrastructure):
        await world.compute()
    world.workers.none_there = False
    await world.settle()
    assert await world.said() == ["one"]


async def test_a_worker_keeps_as_many_flows_of_others_as_it_may(world: EngineWorld) -> None:
    put(world, counted())
    await world.say("/counted")
    worker = StepWorker(LinkMaker(LinkKeys("k" * 32), "http://test"))
    bots = [((f"flow-of-bot-{number}", 1),) for number in range(MOST_GRAPHS + 2)]

    def knows(bot: Any) -> bool:
        return not isinstance(worker(steps(world)[0]._replace(published=bot), lambda: None), Unknown)

    for bot in bots:
        worker(Learn(bot, bot[0], flow_version(counted(), flow=bot[0][0]).encode()), lambda: None)
    assert [bot for bot in bots if not knows(bot)] == bots[:2]
