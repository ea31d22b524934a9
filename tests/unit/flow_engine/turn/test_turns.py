"""Turns on the twin: code nodes, failed turns, effects."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from flow_engine.state.limits import MOST_COMMANDS, hops_of_runs
from flow_engine.turn import failure_log
from flow_engine.turn.effects import WRITERS
from flow_engine.turn.kinds import KINDS
from flow_engine.turn.turn_writer import TurnWriter
from flow_engine.turn.turns import MOST_CODE_RUNS
from support.engine_flows import CODE
from support.engine_world import BOT, EngineWorld, ScriptedSandbox, flow, flow_version

FAILURES = "switchhook_flow_failures_total"
REPLY = {"instance": "ingress-1", "partition": 1, "request_id": "r1"}


def many_code_nodes(count: int) -> dict[str, object]:
    nodes: dict[str, object] = {
        f"run{number}": {
            "type": "code",
            "source": "1",
            **({"ports": {"next": f"run{number + 1}"}} if number < count else {}),
        }
        for number in range(1, count + 1)
    }
    triggers = [{"id": "many", "type": "command", "value": "/many", "to": "run1"}]
    return {**CODE, "slug": "many", "start": "run1", "triggers": triggers, "nodes": nodes}


@pytest.mark.parametrize("count", [MOST_CODE_RUNS, MOST_CODE_RUNS + 1])
async def test_a_turn_runs_so_many_code_nodes_and_no_more(world: EngineWorld, count: int) -> None:
    world.sandbox = sandbox = ScriptedSandbox()
    world.restart(compute_budget=10)
    world.view.put(flow_version(many_code_nodes(count), flow="many"), flow("many", id="many"))
    await world.say("/many")
    failed = [event["error"]["type"] for event in world.events("flow.failed")]
    assert failed == (["too-much-code"] if count > MOST_CODE_RUNS else [])
    assert len(sandbox.ran) == MOST_CODE_RUNS


async def test_what_the_sandbox_made_leaves_in_the_turn(world: EngineWorld) -> None:
    world.sandbox = ScriptedSandbox(sent=["one", "two"], runs=[{"command": "/start", "user_id": None, "content": None}])
    world.restart(compute_budget=10)
    await world.say("/code")
    assert await world.said() == ["one", "two", "Which lecture, ?"]
    (command,) = world.bodies("inbound")
    assert (command["kind"], command["command"], command["hops"]) == ("command", "/start", 1)


async def test_commands_that_run_commands_do_not_grow_in_breadth(world: EngineWorld) -> None:
    """Ten that each run ten would be ten times as many at each of sixteen steps."""
    world.sandbox = sandbox = ScriptedSandbox(runs=[{"command": "/code", "user_id": None, "content": None}] * 10)
    world.restart(compute_budget=10)
    await world.say("/code")
    await world.settle()
    assert [command["hops"] for command in world.bodies("inbound")] == [9] * 10
    assert len(sandbox.ran) == 11
    assert [event["error"]["type"] for event in world.events("flow.failed")] == ["too-many-hops"] * 10


async def test_a_project_whose_flows_run_too_many_commands_gets_no_more_of_them(
    world: EngineWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is an event for somebody: a few requests a second would be thousands of turns."""
    most = MOST_COMMANDS // 10
    monkeypatch.setattr("flow_engine.batch.handler.MOST_COMMANDS", most)
    monkeypatch.setattr("flow_engine.batch.handler.COMMANDS_A_SECOND", 1)
    await world.say("hello?", "p9")
    world.sandbox = ScriptedSandbox(runs=[{"command": "/start", "user_id": "p9", "content": None}] * 40)
    world.restart(compute_budget=10)
    turns = most // 40 + 5
    for number in range(turns):
        await world.say("/code", f"p{number % 5}")
    ran = len([body for body in world.bodies("inbound") if body["kind"] == "command"])
    assert most <= ran < turns * 40
    failed = {event["error"]["type"] for event in world.events("flow.failed")}
    assert "too-many-commands" in failed
    world.sandbox.result["runs"] = world.sandbox.result["runs"][:1]  # type: ignore[attr-defined]
    await world.say("/code", "p7")
    assert len([body for body in world.bodies("inbound") if body["kind"] == "command"]) == ran + 1


@pytest.mark.parametrize(("hops", "runs", "away"), [(0, 1, 1), (16, 1, 17), (0, 2, 3), (0, 64, 13), (7, 8, 14)])
def test_each_halving_of_what_a_turn_runs_is_two_steps(hops: int, runs: int, away: int) -> None:
    assert hops_of_runs(hops, runs) == away


async def test_a_failed_turn_ends_the_session_and_answers_all_who_wait(world: EngineWorld) -> None:
    await world.say("hello?")
    waiting = await world.send("start", source="trigger", flow_id="flow-2", entry="asked", reply_to=REPLY)
    assert world.bodies("replies") == []
    await world.say("too far", hops=17)
    (answered,) = world.bodies("replies")
    assert (answered["event_id"], answered["status"]) == (waiting, "failed")
    assert answered["problem"]["reason"] == "too-many-hops"
    assert (await world.logged(waiting)).status == "failed"


@dataclass(frozen=True, slots=True)
class Remember:
    """An effect that no module of the product knows."""

    what: str


async def test_an_effect_is_one_row(world: EngineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def remember(writer: TurnWriter, effect: Remember) -> None:
        writer.action("remember", {"what": effect.what, **writer.place_of_person()})

    asks_for_it = replace(KINDS["signal"], before=lambda event, work, catalogue: [Remember(event.body.name)])
    monkeypatch.setitem(KINDS, "signal", asks_for_it)
    monkeypatch.setitem(WRITERS, Remember, remember)
    event = await world.send("signal", name="paid")
    (action,) = world.bodies("actions")
    assert (action["kind"], action["what"], action["peer_id"], action["bot_id"]) == ("remember", "paid", "p1", "bot-1")
    assert (await world.logged(event)).parts[0]["deliveries"] == [{"id": action["id"], "kind": "remember"}]


async def test_a_failing_flow_is_counted_and_in_the_log_with_node_and_reason_once_a_minute(
    world: EngineWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failure_log, "_known", {})
    counted = REGISTRY.get_sample_value(FAILURES) or 0
    with capture_logs() as logs:
        for _ in range(2):
            await world.say("/huge")
        await world.send("url", "link", channel="-", link_id="link", command="/code", content="bad")
    failed = [line for line in logs if line["event"] == "flow.failed"]
    assert [(line["flow"], line["node"], line["error"]) for line in failed] == [
        ("", "", "too-large"), ("code", "run", "code")
    ]  # fmt: skip
    assert "no money" in failed[1]["detail"]
    assert REGISTRY.get_sample_value(FAILURES) == counted + 3


async def test_a_name_without_a_value_is_in_the_log_once_for_each_version_of_the_flow(
    world: EngineWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failure_log, "_missing", set())
    go = [{"id": "asks", "type": "command", "value": "/asks", "to": "say"}]
    nodes = {"say": {"type": "say", "parts": [{"text": "Hi {{ user.nickname }}{{ user.nickname }}{{ memory.x }}"}]}}
    asks = {"schema": "flow/1", "slug": "asks", "name": "Asks", "start": "say", "triggers": go, "nodes": nodes}
    with capture_logs() as logs:
        for version in (1, 2):
            published = flow_version(asks, flow="asks").model_copy(update={"version": version})
            current = flow("asks", id="asks").model_copy(update={"published": version})
            world.view.put(published, current)
            for _ in range(2):
                await world.say("/asks")
    missing = [line for line in logs if line["event"] == "flow.missing_value"]
    assert [(one["version"], one["node"], one["name"]) for one in missing] == [
        (version, "say", name) for version in (1, 2) for name in ("user.nickname", "memory.x")
    ]


def keeping(place: str, first: dict[str, object]) -> dict[str, object]:
    """A flow whose first step writes to `place`, which is then said and sent along."""
    nodes = {
        "keep": {**first, "ports": {"next": "call"}},
        "call": {"type": "call_api", "api": "lookup", "params": {"it": {"cel": place}}},
    }
    triggers = [{"id": "deep", "type": "command", "value": "/deep", "to": "keep"}]
    return {**CODE, "slug": "deep", "start": "keep", "triggers": triggers, "nodes": nodes}


@pytest.mark.parametrize("place", ["memory.deep", "user.deep", "temp.deep"])
async def test_a_value_that_is_nested_too_deeply_is_the_nodes_error_and_holds_no_conversation(
    world: EngineWorld, place: str
) -> None:
    value: list[object] = []
    for _ in range(251):
        value = [value]
    world.sandbox = ScriptedSandbox(value=value)
    world.restart(compute_budget=10)
    document = keeping(place, {"type": "code", "source": "1", "save_to": place})
    world.view.put(flow_version(document, flow="deep"), flow("deep", id="deep"))
    await world.say("/deep")
    assert [event["error"]["type"] for event in world.events("flow.failed")] == ["not-json"]
    await world.say("/start")
    assert (await world.held(), await world.said()) == (0, ["Which lecture, ?"])


async def test_a_list_that_each_event_puts_into_itself_ends_at_the_node(world: EngineWorld) -> None:
    layers = 20
    deeper = {"type": "set", "values": {"user.deep": {"cel": "[" * layers + "user.deep" + "]" * layers}}}
    first = {"type": "set", "values": {"user.deep": {"cel": "[1]"}}}
    for slug, node in (("deep", deeper), ("first", first)):
        document = keeping("user.deep", node) | {"slug": slug}
        document["triggers"] = [{"id": slug, "type": "command", "value": f"/{slug}", "to": "keep"}]
        world.view.put(flow_version(document, flow=slug), flow(slug, id=slug))
    for command in ("/first", *["/deep"] * (260 // layers)):
        await world.say(command)
    assert "not-json" in [event["error"]["type"] for event in world.events("flow.failed")]
    assert await world.held() == 0


@pytest.mark.parametrize("name", ["x" * 60_000, "a\0b", "a/b"])
async def test_a_command_for_somebody_of_an_endless_name_is_told_and_not_sent(world: EngineWorld, name: str) -> None:
    world.sandbox = ScriptedSandbox(runs=[{"command": "/start", "user_id": name, "content": None}])
    world.restart(compute_budget=10)
    key, counted = f"{BOT}/-/link", REGISTRY.get_sample_value(FAILURES) or 0
    await world.send("url", "link", channel="-", key=key, link_id="link", command="/code", content="x")
    assert world.bodies("inbound") == []
    assert [event["error"]["type"] for event in world.events("flow.failed")] == ["person-not-understood"]
    assert REGISTRY.get_sample_value(FAILURES) == counted + 1
