"""Every event of a conversation reaches the interpreter, so that a trigger may take it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import pytest

from flow_engine.catalogue import registry_catalogue
from flowlang.graph import Graph
from flowlang.language.compile import compile_flow
from flowlang.model import Happening
from flowlang.triggers.base import Arrival, CompiledTrigger, Matcher, Precedence, TriggerModel
from flowlang.triggers.registry import TRIGGER_KINDS
from support.engine_world import ENTITIES, EngineWorld

KINDS = ("reachability", "contact_update", "message_result", "signal", "timer", "call_result")


class HearTrigger(TriggerModel):
    """A kind of the test's own, which takes whatever it can get."""

    TAKES: ClassVar = KINDS
    PRECEDENCE: ClassVar = Precedence.EVENT
    IS_BOUNDED: ClassVar = True

    type: Literal["hear"]


@dataclass(frozen=True, slots=True)
class Hear(Matcher):
    heard: list[Happening] = field(default_factory=list)

    def matches(self, arrival: Arrival) -> bool:
        self.heard.append(arrival.happening)
        return True


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch, world: EngineWorld) -> list[Happening]:
    """What the trigger was offered, which leads to the node `kafka` of support.engine_flows.LECTURE."""
    matcher = Hear()

    def compiled(data: bytes) -> Graph:
        graph = compile_flow(data)
        if "kafka" not in graph.nodes:
            return graph
        trigger = CompiledTrigger("heard", "hear", "kafka", None, matcher)
        return replace(graph, triggers={**graph.triggers, trigger.id: trigger})

    monkeypatch.setitem(TRIGGER_KINDS, "hear", HearTrigger)
    monkeypatch.setattr(registry_catalogue, "compile_flow", compiled)
    world.view.put(ENTITIES[0].model_copy(update={"name": "compiled anew"}))
    return matcher.heard


EVENTS: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "reachability": (
        {"state": "unsubscribed", "reason": "stop"},
        {"state": "unsubscribed", "before": "subscribed", "reason": "stop", "chat": "private"},
        ["bot.unsubscribed"],
    ),
    "contact_update": (
        {"variables": {"age": 30}, "add_tags": ["vip"]},
        {"changed": ["variables.age"], "add_tags": ["vip"], "remove_tags": []},
        ["contact.updated", "tag.added"],
    ),
    "message_result": (
        {"action_id": "a1", "seq": 1, "outcome": "failed", "error": {"type": "gone", "detail": "d"}},
        {"action_id": "a1", "seq": 1, "outcome": "failed", "provider_message_id": None,
         "error": {"type": "gone", "detail": "d"}},
        ["message.failed"],
    ),
    "signal": ({"name": "paid", "data": {"n": 1}}, {"name": "paid", "data": {"n": 1}}, []),
}  # fmt: skip
"""kind -> (fields of the record, what the interpreter sees, the engine's own events)"""


@pytest.mark.parametrize("kind", EVENTS)
async def test_a_trigger_takes_it_after_the_engine_has_done_its_part(
    world: EngineWorld, heard: list[Happening], kind: str
) -> None:
    fields, seen, own = EVENTS[kind]
    await world.say("hello?")
    before = len(world.out("events"))
    event = await world.send(kind, **fields)
    (happening,) = heard
    assert (happening.id, happening.kind, happening.data) == (event, kind, seen)
    told = [body["type"] for body in world.bodies("events")[before:]]
    assert told[: len(own)] == own
    assert "flow.launched" in told
    if kind != "reachability":  # Who unsubscribed is not written to.
        assert await world.said() == ["Sorry.", "Kafka it is."]


@pytest.mark.parametrize("kind", EVENTS)
async def test_where_no_trigger_listens_nothing_starts(world: EngineWorld, kind: str) -> None:
    fields, _, own = EVENTS[kind]
    await world.say("hello?")
    before = len(world.out("events"))
    await world.send(kind, **fields)
    assert [body["type"] for body in world.bodies("events")[before:]] == own
    assert await world.said() == ["Sorry."]
    loaded = (await world.stored()).loaded
    assert loaded is not None
    assert loaded.read_version == 2


async def test_a_change_of_nobody_is_no_event_for_a_trigger(world: EngineWorld, heard: list[Happening]) -> None:
    await world.send("contact_update", variables={"age": 30})
    assert heard == []


async def test_the_engines_part_holds_when_the_triggers_flow_fails(
    world: EngineWorld, heard: list[Happening], monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.say("hello?")
    monkeypatch.setattr("flow_engine.turn.effects.MOST_EFFECTS", 3)
    await world.send("contact_update", variables={"age": 30})
    (failed,) = world.events("flow.failed")
    assert failed["error"]["type"] == "too-large"
    assert len(world.events("contact.updated")) == 1
    assert (await world.contact()).variables == {"age": 30}
    assert await world.said() == ["Sorry."]
    assert (await world.logged(failed["event_id"])).status == "failed"
