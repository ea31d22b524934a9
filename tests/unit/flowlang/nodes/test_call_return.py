"""Flows that call flows: values go in and come back, failures go to the caller, and whatever else happens finds its way."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flow_engine.state import stored_state
from flow_engine.store.retired import STANDING
from flowlang.building.compiler import KnownNames
from flowlang.language.check import check
from flowlang.model import Say, StartTimer
from flowlang.running.bot_flows import BotFlows
from flowlang.running.frames import MOST_FRAMES
from support.dialogue import Dialogue, compiled, document


def say(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "say", "parts": [{"text": text}], **more}


def ask(save_to: str, to: str, **more: Any) -> dict[str, Any]:
    return {"type": "ask", "text": "?", "input": {"type": "text", "save_to": save_to}, "ports": {"ok": to}, **more}


def flow(slug: str, nodes: dict[str, Any], *triggers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**document(nodes), "slug": slug, "triggers": list(triggers), **more}


def main(*triggers: dict[str, Any], on_error: str | None = None, **call: Any) -> dict[str, Any]:
    """Sets a variable, calls `sub`, and says by which port it came back, with what."""
    told = {
        f"by_{port}": say(
            f"{port} {{{{ memory.mine }}}} {{{{ memory.got }}}} {{{{ temp.error.type }}}}{{{{ memory.answer }}}}"
        )
        for port in ("next", "full", "error")
    }
    nodes = {
        "set": {"type": "set", "values": {"memory.mine": "mine"}, "ports": {"next": "call"}},
        "call": {
            "type": "call", "flow": "sub", "params": {"word": "w{{ user.name }}", "n": {"cel": "1 + 1"}}, "save_to": "memory.got",
            "ports": {"next": "by_next", "full": "by_full", "error": "by_error"}, **call,
        },
        **told,
        "sorry": say("Sorry"),
    }  # fmt: skip
    return document(nodes, list(triggers), **({"on_error": on_error} if on_error else {}))


def sub(nodes: dict[str, Any] | None = None, *triggers: dict[str, Any], **more: Any) -> dict[str, Any]:
    asking = {
        "q": ask("memory.answer", "back"),
        "back": {"type": "return", "value": "{{ memory.answer }}{{ memory.word }}"},
    }
    return flow("sub", nodes or asking, *triggers, **more)


def test_values_go_in_and_come_back_and_each_flow_has_a_memory_of_its_own() -> None:
    t = Dialogue(main(), sub())
    t.say("/go")
    assert t.memory == {"word": "wAnn", "n": 2}
    assert t.events == ["flow.launched", "flow.launched"]
    t.say("tea")
    assert t.texts == ["next mine teawAnn "]
    assert (t.conversation.session, t.ends) == (None, {"e1": "completed", "e2": "completed"})
    assert t.events == ["flow.completed", "flow.completed"]


@pytest.mark.parametrize(
    ("end", "text"),
    [
        ({"type": "return", "port": "full", "value": {"a": 1}}, 'full mine {"a": 1} '),
        ({"type": "return", "port": "unknown", "value": 3}, "next mine 3 "),
        ({"type": "return", "port": "error"}, "error mine  error"),
        ({"type": "end"}, "next mine  "),
        ({"type": "set", "values": {"memory.answer": "lost"}}, "next mine  "),
        ({"type": "jump", "flow": "third"}, "full mine third "),
    ],
)
def test_it_comes_back_by_the_port_that_return_names_else_by_next(end: dict[str, Any], text: str) -> None:
    third = flow("third", {"r": {"type": "return", "port": "full", "value": "third"}})
    t = Dialogue(main(), sub({"end": end}), third)
    t.say("/go")
    assert [one.replace('{"a":1}', '{"a": 1}') for one in t.texts] == [text]


def test_a_flow_that_was_not_called_ends_at_its_return() -> None:
    t = Dialogue(document({"r": {"type": "return", "value": 1}, "never": {"type": "end"}}))
    t.say("/go")
    assert (t.ends, t.conversation.session) == ({"e1": "completed"}, None)


FAILS = {"call": {"type": "call_api", "api": "x"}}


def test_a_failure_goes_to_the_caller_and_not_to_the_called_flows_on_error() -> None:
    t = Dialogue(main(on_error="sorry"), sub({**FAILS, "own": say("Own")}, on_error="own"))
    t.say("/go")
    t.api_answers(outcome="error", error={"type": "http-500", "detail": "it broke"})
    assert t.texts == ["error mine  http-500"]
    assert "flow.failed" not in t.events
    assert t.ends == {"e1": "completed"}


def test_a_failure_that_no_caller_takes_is_the_outermost_flows() -> None:
    between = flow("sub", {"c": {"type": "call", "flow": "deep"}})
    t = Dialogue(main(ports={}, on_error="sorry"), between, flow("deep", FAILS))
    t.say("/go")
    assert [frame.flow_id for frame in t.conversation.session.frames] == ["f1", "f2"]
    t.api_answers(outcome="error", error={"type": "http-500", "detail": "it broke"})
    assert t.texts == ["Sorry"]
    failed = next(effect for effect in t.turn.effects if getattr(effect, "type", "") == "flow.failed")
    assert (failed.node, failed.flow["slug"]) == ("call", "deep")
    assert t.ends == {"e1": "failed"}


@pytest.mark.parametrize(
    ("documents", "error"),
    [
        ((main(flow="gone"),), "unknown-flow"),
        ((main(to="gone"), sub()), "unknown-flow"),
        ((main(), sub({"again": {"type": "call", "flow": "sub", "ports": {}}})), "call-depth"),
        ((main(params={"big": "{{ event.text }}"}), sub()), "memory-full"),
    ],
)
def test_what_cannot_be_called_leaves_by_error_and_changes_nothing(documents: tuple[Any, ...], error: str) -> None:
    t = Dialogue(*documents)
    t.say("/go" + " " * 50_000)
    assert t.texts == [f"error mine  {error}"]


def test_all_memories_together_have_the_room_of_one() -> None:
    fill = {"type": "set", "values": {"memory.big": "{{ event.text }}"}, "ports": {"next": "back", "error": "full"}}
    nodes = {"q": ask("memory.answer", "fill", input={"type": "text", "max_length": 16_000}), "fill": fill, "back": {"type": "return"}, "full": {"type": "return", "port": "full"}}  # fmt: skip
    first = main(params={"word": "{{ memory.mine }}"})
    first["nodes"]["set"]["values"] = {"memory.mine": {"cel": "'x'"}, "memory.pad": "{{ event.text }}"}
    t = Dialogue(first, sub(nodes))
    t.say("/go" + " " * 30_000)
    t.say("y" * 15_000)
    assert t.texts[0].startswith("full x")


def test_the_versions_of_all_frames_are_kept() -> None:
    """The engine looks for them in the row's text (ADR-0034)."""
    t = Dialogue(main(), sub())
    t.say("/go")
    state = stored_state.encode(t.conversation).decode()
    assert set(re.findall(STANDING, state)) == {("f1", "1"), ("f2", "1")}


def test_a_version_that_is_gone_fails_for_its_caller_and_a_caller_that_is_gone_ends_the_session() -> None:
    t = Dialogue(main(), sub())
    t.say("/go")
    t.flows = BotFlows(t.graphs[:1])
    t.say("tea")
    assert t.texts == ["error mine  version-gone"]
    assert t.ends == {"e1": "completed", "e2": "completed"}
    t = Dialogue(main(), sub())
    t.say("/go")
    t.flows = BotFlows(t.graphs[1:])
    t.say("tea")
    assert (t.texts, t.conversation.session, t.event_data("flow.failed")["error"]["type"]) == ([], None, "version-gone")
    assert set(t.ends.values()) == {"failed"}


def test_a_call_goes_into_the_published_version_and_comes_back_to_its_own() -> None:
    t = Dialogue(main(), sub())
    t.say("/go")
    newer = [compiled(main(save_to="memory.other"), "f1", 2), compiled(sub({"e": {"type": "end"}}), "f2", 2)]
    old = {(graph.flow_id, graph.version): graph for graph in t.graphs}
    t.flows = BotFlows(newer, lambda id, version: old.get((id, version)))
    t.say("tea")
    assert t.texts == ["next mine teawAnn "]


NEWS = {"id": "news", "type": "webhook", "to": "news"}


def test_a_trigger_that_interrupts_a_called_flow_shares_its_memory_and_may_call_itself() -> None:
    news = {"news": {"type": "set", "values": {"memory.word": "new"}, "ports": {"next": "more"}}, "more": {"type": "call", "flow": "quick", "ports": {"next": "told"}}, "told": say("News")}  # fmt: skip
    quick = flow("quick", {"s": {"type": "set", "values": {"memory.word": "quick"}}})
    t = Dialogue(main(), sub(), flow("news", news, NEWS), quick)
    t.say("/go")
    t.start("news", flow_id="f3")
    assert (t.texts, t.waits_at) == (["News"], "q")
    t.say("tea")
    assert t.texts == ["next mine teanew "]


def test_a_tap_on_a_button_of_the_caller_leaves_the_called_flow() -> None:
    first = main()
    buttons = [{"id": "b", "title": "Back", "to": "by_full"}]
    first["nodes"]["set"]["ports"] = {"next": "offer"}
    first["nodes"]["offer"] = {
        "type": "say",
        "parts": [{"text": "Offer", "buttons": buttons}],
        "ports": {"next": "call"},
    }
    t = Dialogue(first, sub())
    t.say("/go")
    assert t.waits_at == "q"
    payload = t.payloads["Back"]
    t.say(None, payload=payload)
    assert (t.texts, t.conversation.session) == (["full mine  "], None)
    t.say(None, payload=payload)
    assert t.turn.effects == []


def test_a_tap_on_an_old_button_of_the_called_flow_runs_there_and_the_caller_waits_on() -> None:
    buttons = [{"id": "b", "title": "More", "to": "more"}]
    nodes = {
        "offer": {"type": "say", "parts": [{"text": "Offer", "buttons": buttons}]},
        "more": {"type": "return", "value": "lost"},
    }
    first = main()
    first["nodes"]["by_next"] = ask("memory.answer", "by_full")
    t = Dialogue(first, sub(nodes))
    t.say("/go")
    t.say(None, payload=t.payloads["More"])
    assert (t.waits_at, t.texts) == ("by_next", [])
    t.say("x")
    assert t.texts == ["full mine  x"]


def test_a_called_flow_may_hand_the_person_to_agents_and_goes_on_where_it_was() -> None:
    nodes = {"human": {"type": "live_chat", "ports": {"closed": "back"}}, "back": {"type": "return", "value": "helped"}}
    t = Dialogue(main(), sub(nodes))
    t.say("/go")
    agent = {"id": "a1", "name": "Bo"}
    t.event("owner", to="agent", by=agent, agent=agent)
    t.say("hello")
    t.event("owner", to="bot", by=agent, agent=None)
    assert t.texts == ["next mine helped "]


def test_an_expired_session_is_over_with_all_its_frames() -> None:
    t = Dialogue(main(), sub())
    t.say("/go")
    t.now = "2026-11-24T12:00:00Z"
    t.say("tea")
    assert (t.events, t.conversation.session) == (["session.expired"], None)


def test_without_a_person_a_flow_is_called_without_values() -> None:
    url = {"id": "url", "type": "command", "value": "/url", "from": ["url"], "to": "call"}
    for params, text in (({}, "next"), ({"a": 1}, "error")):
        first = main(url, params=params, save_to=None)
        first["nodes"] |= {f"by_{port}": say(port) for port in ("next", "error")}
        t = Dialogue(first, sub({"s": say("In")}), nobody=True)
        t.event("url", command="/url", content=None, content_raw="", options={})
        assert t.texts[-1] == text


def test_flows_that_call_each_other_for_ever_end_with_the_turn() -> None:
    one = main(flow="sub", ports={"next": "call"})
    one["nodes"]["call"].pop("save_to")
    t = Dialogue(one, sub({"s": {"type": "end"}}))
    t.say("/go")
    assert t.event_data("flow.failed")["error"]["type"] in ("step-budget", "too-many-effects")
    assert (t.conversation.session, len(t.turn.effects) <= 64) == (None, True)


def test_what_is_wrong_is_told_on_save_and_a_circle_through_a_called_flow_is_not() -> None:
    circle = main(ports={"next": "set"})
    for name in ("by_next", "by_full", "by_error", "sorry"):
        circle["nodes"].pop(name)
    assert [problem for problem in check(circle) if problem.severity == "error"] == []
    wrong = check(main(params={"a.b": 1}, flow="gone"), KnownNames(flows={"story"}))
    found = {(problem.pointer, problem.code) for problem in wrong if problem.severity == "error"}
    assert {("/nodes/call/params/a.b", "target"), ("/nodes/call/flow", "unknown-flow")} <= found


MOVES = ("/go", "tea", "news", "tap", "timer", "answer", "bad")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 20)), max_size=25))
def test_any_history_keeps_the_rules_of_a_turn(history: list[tuple[str, int]]) -> None:
    """The helper steps each event twice and compares, and stores the state in between."""
    buttons = [{"id": "b", "title": "B", "to": "call"}]
    first = main(NEWS, on_error="sorry")
    first["nodes"] |= {
        "by_next": {"type": "say", "parts": [{"text": "n", "buttons": buttons}], "ports": {"next": "wait"}},
        "wait": {"type": "delay", "for": "PT1M", "ports": {"next": "call"}},
        "news": {"type": "call", "flow": "third", "ports": {"error": "sorry"}},
    }
    nodes = {
        "q": ask("memory.answer", "deeper", timeout="PT1H"),
        "deeper": {"type": "call", "flow": "third", "ports": {"next": "q2", "again": "q"}},
        "q2": {
            "type": "say",
            "parts": [{"text": "s", "buttons": [{"id": "b", "title": "S", "to": "q"}]}],
            "ports": {"next": "r"},
        },
        "r": {"type": "return", "value": "{{ memory.answer }}"},
    }
    third = {"api": {"type": "call_api", "api": "x", "ports": {"ok": "r"}}, "r": {"type": "return", "port": "again"}}
    t = Dialogue(first, sub(nodes), flow("third", third))
    tokens: list[str] = ["none"]
    seqs: list[int] = []
    for move, pick in history:
        token = tokens[pick % len(tokens)]
        if move == "news":
            t.start("news")
        elif move == "timer":
            t.fire(token)
        elif move in ("answer", "bad"):
            t.api_answers({"memory": {}} if move == "answer" else {}, wait=token)
        else:
            t.say(None if move == "tap" else move, **({"payload": f"~{pick}.b"} if move == "tap" else {}))
        tokens += [effect.wait for effect in (*t.effects(StartTimer), *t.calls)]
        seqs += [effect.seq for effect in t.effects(Say)]
        session = t.conversation.session
        assert session is None or (session.wait is not None and len(session.frames) <= MOST_FRAMES)
        assert len(t.turn.effects) <= 64
    assert seqs == list(range(1, len(seqs) + 1))
