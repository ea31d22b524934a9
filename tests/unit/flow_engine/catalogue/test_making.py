"""What of flows is made ready to run, when, where, and for how long it is kept: the documents are written by anybody."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from flow_engine.catalogue import making, registry_catalogue
from flow_engine.catalogue.links import LinkMaker
from flow_engine.catalogue.making import KeptNodes, MayMake
from flow_engine.catalogue.registry_catalogue import RegistryCatalogue
from flow_engine.programs import stepping, worker
from flow_engine.programs.worker import Learn, Step
from flowlang.expressions.expression import Expression
from flowlang.expressions.templates import Template
from flowlang.model import Conversation
from flowlang.work import Elsewhere, Work
from servicekit.workers.allowances import Allowances
from support.dialogue import compiled, document
from support.engine_world import BOT, ENTITIES, PROJECT, WEB, EngineWorld, flow, flow_version, published
from support.registry_in_memory import ViewInMemory

CONVERSATION = Conversation(f"{BOT}/{WEB}/p1", PROJECT, BOT, WEB, "webchat", "p1", "")
DEAR = {"type": "condition", "branches": [{"if": "memory.a || " * 150 + "true", "to": "x"}]}
CHEAP = {"type": "say", "parts": [{"text": "Hello {{ user.name }}"}]}


def flow_of(nodes: dict[str, Any], *, id: str = "big", command: str = "/big", **fields: Any) -> list[Any]:
    made = document(nodes, slug=id, **fields)
    made["triggers"][0]["value"] = command
    return [flow_version(made, flow=id), flow(id, id=id)]


def literal(items: int) -> dict[str, Any]:
    """A node with so many values."""
    return {"type": "set", "values": {"temp.list": ["{{ user.name }}"] * items}, "ports": {"next": "said"}}


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The programs that were parsed."""
    sources: list[str] = []
    for kind in (Template, Expression):
        parse: Any = kind._parse  # type: ignore[attr-defined]

        def noting(self: Any, parse: Any = parse, **more: Any) -> None:
            sources.append(self.source)
            parse(self, **more)

        monkeypatch.setattr(kind, "_parse", noting)
    return sources


def test_reading_a_bots_flows_parses_no_program_and_builds_no_node(parsed: list[str]) -> None:
    """219 KB of these took 0.9 s, and a project may have 290 of them."""
    view = ViewInMemory(*ENTITIES, *flow_of({f"n{place}": DEAR for place in range(110)} | {"x": CHEAP}))
    around = RegistryCatalogue(view, LinkMaker(None, "http://test")).around(CONVERSATION)  # type: ignore[arg-type]
    assert around.flows.current("big").nodes.made == {}
    assert parsed == []


async def test_a_turn_makes_what_it_comes_to_and_nothing_twice(world: EngineWorld, parsed: list[str]) -> None:
    nodes = {"said": CHEAP, "never": {**DEAR, "branches": [{"if": "[1].exists(one, one == 1)", "to": "said"}]}}
    world.view.put(*flow_of(nodes))
    await world.say("/big")
    made = world.catalogue.around(CONVERSATION).flows.current("big").nodes.made
    node = made["said"]
    await world.say("/big", "p2")
    assert list(made.values()) == [node]
    assert (parsed, world.workers.asked) == ([], [])
    assert await world.said() == ["Hello "]


async def test_between_flows_that_are_read_others_have_their_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_catalogue, "SLICE_SECONDS", 0.0)
    flows = [one for number in range(5) for one in flow_of({"said": CHEAP}, id=f"f{number}", command=f"/{number}")]
    catalogue = RegistryCatalogue(ViewInMemory(*ENTITIES, *flows), LinkMaker(None, "http://test"))  # type: ignore[arg-type]
    preparing = asyncio.create_task(catalogue.prepare([CONVERSATION]))
    turns = 0
    while not preparing.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 5
    before = catalogue.around(CONVERSATION).flows
    assert len(before.versions) == 5


def test_a_bot_whose_name_changes_has_its_flows_kept() -> None:
    """Whoever renames his bot all the time would have its flows put in order anew each time."""
    view = ViewInMemory(*ENTITIES, *flow_of({"said": CHEAP}))
    catalogue = RegistryCatalogue(view, LinkMaker(None, "http://test"))  # type: ignore[arg-type]
    before = catalogue.around(CONVERSATION)
    view.put(ENTITIES[0].model_copy(update={"name": "Fair"}))
    after = catalogue.around(CONVERSATION)
    assert after is not before
    assert after.flows is before.flows


async def test_a_part_that_takes_long_to_make_is_made_in_a_worker(world: EngineWorld) -> None:
    world.view.put(*flow_of({"fill": literal(3000), "said": CHEAP}))
    await world.say("/big")
    assert await world.said() == ["Hello "]
    assert any(isinstance(task, Step) for task in world.workers.asked)
    assert "fill" not in world.catalogue.around(CONVERSATION).flows.current("big").nodes.made


def test_a_project_makes_so_much_at_once_and_more_with_time_and_another_is_not_kept_from_it() -> None:
    now = [0.0]
    may = MayMake(Allowances(lambda: now[0], free=0.0, most=0.01, rate=0.1))
    may("greedy", 9_000)
    may("greedy", 9_000)
    with pytest.raises(Elsewhere):
        may("greedy", 1)
    may("other", 9_000)
    now[0] += 1.0
    may("greedy", 1)
    with pytest.raises(Elsewhere):
        may("other", making.MOST_OF_A_PART + 1)


async def test_where_its_allowance_is_spent_a_turn_is_made_in_a_worker_and_says_the_same(
    world: EngineWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MayMake, "__call__", lambda self, project, units: elsewhere())
    world.view.put(*flow_of({"said": CHEAP}))
    await world.say("/big")
    assert await world.said() == ["Hello "]
    assert any(isinstance(task, Step) for task in world.workers.asked)


def elsewhere() -> None:
    raise Elsewhere


async def test_who_has_spent_his_programs_allowance_too_waits_for_what_is_cheap(
    world: EngineWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He has used up what his programs may take: his plain texts are said nevertheless, as ever, a little later."""
    monkeypatch.setattr(stepping, "MAKING_AGAIN", 0.0)
    world.deferring._stepping._allowances.spend(PROJECT, 100.0)
    tries: list[int] = []

    def once_refused(self: Any, project: str, units: int) -> None:
        tries.append(units)
        if len(tries) == 1 or units > making.MOST_OF_A_PART:
            raise Elsewhere

    monkeypatch.setattr(MayMake, "__call__", once_refused)
    world.view.put(
        *flow_of({"said": CHEAP}), *flow_of({"fill": literal(3000), "said": CHEAP}, id="vast", command="/vast")
    )
    await world.say("/big")
    assert await world.said() == ["Hello "]
    assert world.workers.asked == []
    await world.say("/vast", "p2")
    assert [event["error"]["type"] for event in world.events("flow.failed")] == ["allowance-spent"]


async def test_a_worker_that_made_much_is_asked_again_and_goes_on(
    world: EngineWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "MADE_AT_ONCE", 5_000)
    nodes = {
        f"n{place}": {
            "type": "condition",
            "branches": [{"if": f"{place} in [{place}]" + " " * 300, "to": f"n{place + 1}"}],
        }
        for place in range(6)
    }
    world.view.put(*flow_of(nodes | {"n6": CHEAP}))
    await world.say("/big")
    assert await world.said() == ["Hello "]
    assert len([task for task in world.workers.asked if isinstance(task, Step)]) > 2


async def test_one_part_is_made_in_a_worker_however_large_it_is(
    world: EngineWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "MADE_AT_ONCE", 20_000)
    world.view.put(*flow_of({"fill": literal(3000), "said": CHEAP}))
    await world.say("/big")
    assert await world.said() == ["Hello "]


def test_nodes_that_are_not_used_go_when_there_are_too_many_and_are_made_again() -> None:
    text = {"type": "say", "parts": [{"text": "x" * 900}]}
    graphs = [compiled(document({"a": text, "b": text}), flow_id=f"f{number}") for number in range(4)]
    kept = KeptNodes(most=100_000, most_of_a_project=4_000)
    for graph in graphs:
        kept.watch(graph)
    for graph in graphs[:3]:
        graph.nodes.make("a", Work())
    graphs[0].nodes.used = True
    for id in ("a", "b"):
        graphs[3].nodes.make(id, Work())
    assert [len(graph.nodes.made) for graph in graphs] == [1, 0, 1, 2]
    assert kept.size == sum(graph.nodes.size for graph in graphs) <= 4_000
    assert graphs[1].nodes.make("a", Work()).type == "say"


def test_all_projects_together_have_a_limit() -> None:
    text = {"type": "say", "parts": [{"text": "x" * 900}]}
    graphs = [compiled(document({"a": text}), flow_id=f"f{number}") for number in range(6)]
    kept = KeptNodes(most=3_000, most_of_a_project=100_000)
    for graph in graphs:
        kept.watch(graph)
        graph.nodes.make("a", Work())
    assert [len(graph.nodes.made) for graph in graphs] == [0, 0, 0, 1, 1, 1]


def test_a_worker_keeps_so_many_bytes_of_flows(monkeypatch: pytest.MonkeyPatch) -> None:
    one = flow_version(document({"a": {"type": "say", "parts": [{"text": "x" * 1000}]}}))
    monkeypatch.setattr(worker, "MOST_GRAPH_BYTES", 3 * len(one.encode()))
    steps = worker.StepWorker(LinkMaker(None, "http://test"))
    for number in range(6):
        version = (f"f{number}", 1)
        steps(Learn((version,), version, one.encode()), lambda: None)
    assert list(steps._graphs) == [("f3", 1), ("f4", 1), ("f5", 1)]


async def test_a_version_that_is_learnt_is_paid_for(world: EngineWorld) -> None:
    """Each task's first milliseconds are free; a bot with a thousand flows has a thousand of them learnt."""
    world.view.put(*published(*(document({"a": CHEAP}, slug=f"s{number}") for number in range(20))))
    world.view.put(
        *flow_of(
            {
                "first": {"type": "condition", "branches": [{"if": "[1].exists(one, one == 1)", "to": "said"}]},
                "said": CHEAP,
            }
        )
    )
    world.workers.cpu = 0.015
    await world.say("/big")
    assert await world.said() == ["Hello "]
    allowances = world.deferring._stepping._allowances
    assert allowances._full_at[PROJECT] - allowances._clock() > 2.0
