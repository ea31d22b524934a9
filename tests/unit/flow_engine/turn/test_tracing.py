"""What the trace of a conversation is told of its turns."""

from __future__ import annotations

from typing import Any

from flow_engine.state.ids import conversation_id
from flow_engine.state.traces import shown
from support.conversations_in_memory import ConversationsInMemory
from support.engine_models_suite import BOOK, MAIN, answering, asked, calls, helping
from support.engine_world import BOT, WEB, EngineWorld, ScriptedSandbox, flow, flow_version

NOTES: dict[str, Any] = {
    "schema": "flow/1", "slug": "notes", "name": "Notes", "start": "note",
    "variables": {"line": {"type": "string", "scope": "memory"}, "order": {"type": "string", "scope": "memory"}},
    "triggers": [
        {"id": "note", "type": "command", "value": "/note", "to": "note"},
        {"id": "code", "type": "command", "value": "/run", "to": "note_and_run"},
        {"id": "paid", "type": "webhook", "accept": {"order": "string!"}, "to": "again"},
    ],
    "nodes": {
        "note": {"type": "set", "values": {"memory.line": "one", "user.city": "Riga"}, "ports": {"next": "again"}},
        "again": {"type": "set", "values": {"memory.line": "two"}, "ports": {"next": "same"}},
        "same": {"type": "set", "values": {"memory.line": "two"}},
        "note_and_run": {"type": "set", "values": {"memory.line": "one"}, "ports": {"next": "run"}},
        "run": {"type": "code", "source": "1", "ports": {"next": "again"}},
    },
}  # fmt: skip


def traces(world: EngineWorld, peer: str = "p1") -> list[dict[str, Any]]:
    """The oldest first."""
    store = world.store
    assert isinstance(store, ConversationsInMemory)
    rows = store.traces.get(conversation_id(f"{BOT}/{WEB}/{peer}"), [])
    return [shown(row.turn, row.body) for row in rows]


def changed(turn: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {one["name"]: (one["before"], one["after"]) for one in turn["variables"]}


def notes(world: EngineWorld) -> None:
    world.view.put(flow_version(NOTES, flow="notes"), flow("notes", id="notes"))


async def test_each_turn_says_its_event_its_nodes_and_what_it_changed(world: EngineWorld) -> None:
    asked, answered = await world.say("/start"), await world.say("Kafka")
    first, second = traces(world)
    assert (first["event"], second["event"]) == ({"id": asked, "kind": "message"}, {"id": answered, "kind": "message"})
    assert [(one["node"], one["port"]) for one in first["nodes"]] == [("ask", None)]
    assert [one["missing"] for one in first["nodes"]] == [["user.name"]]
    assert [(one["node"], one["port"]) for one in second["nodes"]] == [
        ("ask", "ok"), ("check", "kafka"), ("kafka", "next"),
    ]  # fmt: skip
    assert changed(second)["user.lecture"] == (None, "1")
    assert second["turn"] == first["turn"] + 1


async def test_memory_is_shown_as_it_was_before_the_turn_and_after_it_also_where_the_session_ended(
    world: EngineWorld,
) -> None:
    notes(world)
    await world.say("/note")
    (turn,) = traces(world)
    assert changed(turn) == {"memory.line": (None, "two"), "user.city": (None, "Riga")}
    assert [one["flow_id"] for one in turn["variables"]] == ["notes", None]
    await world.say("/note")
    assert "user.city" not in changed(traces(world)[-1])


async def test_what_a_start_brings_is_a_change(world: EngineWorld) -> None:
    notes(world)
    await world.say("hello?")
    await world.send(
        "start", source="trigger", flow_id="notes", entry="paid", trigger_id="t1", variables={"order": "7"}
    )
    assert changed(traces(world)[-1]) == {"memory.order": (None, "7"), "memory.line": (None, "two")}


async def test_what_was_written_before_a_code_node_is_of_its_turn(world: EngineWorld) -> None:
    world.sandbox = ScriptedSandbox()
    world.restart(compute_budget=10)
    notes(world)
    await world.say("/run")
    assert changed(traces(world)[-1])["memory.line"] == (None, "two")


async def test_a_call_is_named_where_it_is_made_and_its_answer_where_it_comes(world: EngineWorld) -> None:
    await world.say("/seats")
    (call,) = [body for body in world.bodies("actions") if body["kind"] == "call_api"]
    answer = {"action_id": call["id"], "wait": call["wait"], "outcome": "error", "status": 500, "took_ms": 41}
    await world.send("call_result", **answer)
    made, came = traces(world)
    assert made["calls"] == [{"id": call["id"], "kind": "call_api", "name": "seats-left"}]
    assert came["answer"] == {"call": call["id"], "outcome": "error", "status": 500, "took_ms": 41}
    node = came["nodes"][0]
    assert (node["node"], node["port"], node["error"]["status"]) == ("call", "error", 500)
    await world.send("call_result", **answer)
    assert [(one["node"], one["port"]) for one in traces(world)[-1]["nodes"]] == [(None, "late")]


async def test_what_a_language_model_was_asked_wants_made_and_took_is_there(world: EngineWorld) -> None:
    await helping(world, MAIN, BOOK)
    await world.say("Book")
    tokens = {"input": 100, "output": 20}
    asking = calls("c1") | {"tokens": tokens}
    await world.send("call_result", **answering(asked(world), asking))
    await world.send("call_result", **answering(asked(world), {"booked": True}))
    await world.send("call_result", **answering(asked(world), {"text": "Booked.", "tokens": tokens}))
    turns = traces(world)
    made = [(call["kind"], call["name"]) for turn in turns for call in turn["calls"]]
    assert made == [("ask_model", "main"), ("call_api", "book"), ("ask_model", "main")]
    assert [call["id"] for turn in turns for call in turn["calls"]] == [body["id"] for body in world.bodies("actions")]
    told = [(node["port"], node["tool"], node["tokens"]) for turn in turns for node in turn["nodes"] if node["tokens"]]
    assert told == [(None, "book", tokens), ("ok", None, tokens)]


async def test_webhooks_are_named_by_their_titles(world: EngineWorld) -> None:
    await world.say("/report")
    (turn,) = traces(world)
    assert [(one["kind"], one["name"]) for one in turn["calls"]] == [("post_webhook", "Points 7")]
    assert (changed(turn)["user.points"], changed(turn)["user.tags"]) == ((None, 7), ([], ["vip"]))


async def test_a_turn_that_fails_says_why(world: EngineWorld) -> None:
    world.sandbox = ScriptedSandbox(ok=False, error="no money")
    world.restart(compute_budget=10)
    await world.say("/code")
    (turn,) = traces(world)
    assert turn["failed"]["detail"] == "no money"


async def test_what_is_refused_to_somebody_known_says_why_and_of_a_stranger_nothing_is_kept(world: EngineWorld) -> None:
    start = {"source": "trigger", "flow_id": "flow-1", "entry": "no such entry", "trigger_id": "t1", "variables": {}}
    await world.send("start", peer="stranger", **start)
    assert traces(world, "stranger") == []
    await world.say("hello?")
    await world.send("start", **start)
    assert traces(world)[-1]["refused"]["type"] == "trigger-unpublished"


async def test_of_what_no_flow_takes_nothing_is_kept(world: EngineWorld) -> None:
    await world.say("hello?")
    await world.send("reachability", state="blocked", reason="blocked")
    assert len(traces(world)) == 1


async def test_the_event_log_has_the_steps_of_a_turn_from_its_trace(world: EngineWorld) -> None:
    event = await world.say("/start")
    (part,) = (await world.logged(event)).parts
    assert part["turn"] == traces(world)[0]["turn"]
    assert part["steps"] == [
        {"flow_id": "flow-1", "flow_version": 1, "node": "ask", "type": "ask", "missing": ["user.name"]}
    ]
