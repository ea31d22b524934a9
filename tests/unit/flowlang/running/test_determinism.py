"""Whatever happens, in any order: the same input gives the same turn, nothing that came in changes, limits hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from contracts.ids import derived_id
from flowlang.model import EmitEvent, Say, StartTimer


def say(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "say", "parts": [{"text": text}], **more}


CHOICE = {
    "type": "choice",
    "options": [{"id": "a", "title": "A"}, {"id": "b", "title": "B", "to": "wait"}],
    "save_to": "memory.c",
}
NODES = {
    "ask": {"type": "ask", "text": "?", "input": CHOICE, "retry": {"max": 1}, "timeout": "PT1H", "ports": {"ok": "call", "invalid": "bye"}},
    "call": {"type": "call_api", "api": "x", "ports": {"ok": "offer", "error": "bye"}},
    "offer": {
        "type": "say",
        "parts": [{"text": "{{ memory.m }}", "buttons": [{"id": "again", "title": "Again", "to": "ask"}, {"id": "w", "title": "Hi"}]}],
        "ports": {"next": "code"},
    },
    "code": {"type": "code", "source": "1", "ports": {"next": "wait", "error": "bye"}},
    "wait": {"type": "delay", "for": "PT10M", "ports": {"next": "tag"}},
    "tag": {"type": "tag", "add": ["t"], "push_profile": True, "ports": {"next": "signal"}},
    "signal": {"type": "wait_event", "name": "s", "ports": {"event": "bye"}},
    "bye": say("Bye"),
    "hook": {"type": "code", "source": "2", "ports": {"next": "bye"}},
}  # fmt: skip
TRIGGERS = [
    {"id": "in", "type": "webhook", "to": "call"},
    {"id": "url", "type": "command", "value": "/url", "from": ["url"], "to": "hook"},
    {"id": "lost", "type": "no_match", "to": "bye"},
]
MOVES = ("go", "a", "b", "x", "tap", "in", "url", "answer", "bad answer", "timer", "old timer", "signal", "late")
Move = tuple[str, int, int]


def play(t: Any, move: str, pick: int, tokens: list[str]) -> None:
    """One move. Code is run at once."""
    token = tokens[pick % len(tokens)] if tokens else "none"
    actions: dict[str, Callable[[], Any]] = {
        "go": lambda: t.say("/go"),
        "in": lambda: t.start("in"),
        "url": lambda: t.event("url", command="/url", content=1, content_raw="1", options={}),
        "tap": lambda: t.say(None, payload=f"~{pick % 8}.{'ab'[pick % 2]}"),
        "answer": lambda: t.api_answers({"memory": {"m": "x"}}, wait=token),
        "bad answer": lambda: t.api_answers({"no": 1}, wait=token),
        "timer": lambda: t.fire(token),
        "old timer": lambda: t.fire(tokens[0] if tokens else "none"),
        "signal": lambda: t.event("signal", name="s", data={}),
        "late": lambda: t.say("again", payload="~1.again"),
    }
    actions.get(move, lambda: t.say(move))()
    while t.turn.code is not None:
        t.code_gives(ok=pick % 5 != 0, sent=["s"], error="boom")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(history=[("in", 0, 0), ("go", 0, 0), ("x", 0, 0), ("bad answer", 1, 0)])
@given(st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 40), st.integers(0, 7200)), max_size=25))
def test_any_history_holds_the_rules_of_a_turn(talk: Any, history: list[Move]) -> None:
    """The helper steps each event twice and compares, and stores the state in between."""
    t = talk(NODES, TRIGGERS, session_ttl="PT3H", on_error="bye")
    tokens: list[str] = []
    seconds = 0
    seqs: list[int] = []
    for number, (move, pick, passes) in enumerate(history, start=1):
        seconds += passes
        t.now = f"2026-11-{21 + seconds // 86400:02d}T{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}Z"
        waiting = len(t.conversation.queued)
        play(t, move, pick, tokens)
        assert t.conversation.version == number
        assert len(t.turn.effects) <= 64
        seqs += [effect.seq for effect in t.effects(Say)]
        tokens += {effect.wait for effect in (*t.effects(StartTimer), *t.calls)}
        session = t.conversation.session
        assert session is None or session.wait is not None
        # An event that was queued is taken in this turn, too, and moves its session on: whoever began that is answered anew.
        taken = 1 + max(0, waiting - len(t.conversation.queued))
        answered = [end.cause for end in t.turn.rests]
        most = max(map(answered.count, answered), default=0)
        assert most <= taken or any(e.type == "session.expired" for e in t.effects(EmitEvent))
    assert seqs == list(range(1, len(seqs) + 1))
    assert len(tokens) == len(set(tokens))


def test_a_wait_token_follows_from_the_conversation_its_version_and_an_ordinal(talk: Any) -> None:
    t = talk(NODES, TRIGGERS)
    t.say("hello")
    t.say("/go")
    assert t.token == derived_id("wait", "b/c/1", 1, 1)
