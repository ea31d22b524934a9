"""All that a conversation keeps between two events is counted, and what would be too much leaves its node by `error`.

The helper holds the state to its 64 KiB after each turn.
"""

from __future__ import annotations

from typing import Any

from support.dialogue import Dialogue, document

TELL = {"type": "say", "parts": [{"text": "{{ temp.error.type }}"}]}


def keep(name: str, **ports: str) -> dict[str, Any]:
    return {"type": "set", "values": {f"memory.{name}": "{{ event.variables.big }}"}, "ports": ports}


def call(**ports: str) -> dict[str, Any]:
    return {"type": "call_api", "api": "x", "ports": ports}


def webhook(to: str) -> dict[str, Any]:
    return {"id": to, "type": "webhook", "to": to}


def test_the_memory_of_callers_of_an_interrupted_session_counts() -> None:
    nodes = {
        "keep": keep("mine", next="sub"),
        "sub": {"type": "call", "flow": "sub", "ports": {"next": "back", "error": "tell"}},
        "back": {"type": "say", "parts": [{"text": "{{ memory.mine | size }} {{ memory.more | size }}"}]},
        "more": keep("more", next="wait", error="tell"),
        "wait": call(ok="tell"),
        "tell": TELL,
    }
    asking = {
        "q": {"type": "ask", "text": "?", "input": {"type": "text"}, "ports": {"ok": "end"}},
        "end": {"type": "end"},
    }
    t = Dialogue(document(nodes, [webhook("more")]), {**document(asking), "slug": "sub", "triggers": []})
    t.start(big="x" * 35_000)
    assert t.waits_at == "q"
    t.start("more", big="y" * 35_000)
    assert t.texts == ["memory-full"]
    assert t.waits_at == "q"
    t.start("more", big="y" * 1_000)
    assert (t.waits_at, len(t.conversation.stack)) == ("wait", 1)
    t.api_answers({})
    t.say("on")
    assert t.texts == ["35000 0"]


def test_what_was_said_last_counts_where_a_call_is_waited_for(talk: Any) -> None:
    say = {"type": "say", "parts": [{"text": "{{ event.variables.big }}"}], "ports": {"next": "call"}}
    t = talk({"keep": keep("mine", next="say"), "say": say, "call": call(error="tell"), "tell": TELL})
    t.start(big="x" * 33_000)
    assert t.texts == ["x" * 33_000, "state-full"]
    assert (t.conversation.session, t.ends) == (None, {"e1": "completed"})


def test_an_answer_without_room_until_its_node_can_take_it_is_an_error_there(talk: Any) -> None:
    nodes = {"first": call(ok="first", error="tell"), "second": call(ok="end"), "tell": TELL, "end": {"type": "end"}}
    t = talk(nodes, [webhook("second")])
    t.say("/go")
    first = t.token
    t.start("second")
    t.api_answers({"memory": {"a": "x" * 62_000}}, wait=first)
    assert (t.waits_at, t.texts) == ("second", [])
    t.api_answers({})
    assert t.texts == ["state-full"]


def test_a_signal_without_room_until_its_node_can_take_it_is_passed_over_and_the_node_waits_on(talk: Any) -> None:
    waits = {"type": "wait_event", "name": "paid", "timeout": "PT1H", "ports": {"event": "end", "timeout": "tell"}}
    t = talk({"paid": waits, "second": call(ok="end"), "tell": TELL, "end": {"type": "end"}}, [webhook("second")])
    t.say("/go")
    t.start("second")
    t.event("signal", name="paid", data={"a": "x" * 62_000})
    assert t.turn.steps == [{"node": None, "type": "signal", "port": "ignored"}]
    t.api_answers({})
    assert (t.waits_at, t.conversation.stack) == ("paid", [])
    t.fire()
    assert t.texts == ["timeout"]
