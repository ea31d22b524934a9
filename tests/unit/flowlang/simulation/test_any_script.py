"""Any steps in any order on the flows of the recorded histories: turns end, and neither a crash nor a duplicate changes the state."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowlang.model import Contact, Conversation, Happening, RunCode, Tools, Turn
from flowlang.running import state
from flowlang.running.bot_flows import BotFlows
from flowlang.running.interpreter import step
from flowlang.running.run import MOST_EFFECTS, STEP_BUDGET
from flowlang.simulation import shown
from flowlang.simulation.cases import to_the_end
from histories import load, names, playing
from support.dialogue import document

MOST_NODES = 2 * STEP_BUDGET
HISTORIES = [load(name) for name in names()]
EVERYWHERE: list[dict[str, Any]] = [
    {"say": "/go"}, {"say": "x"}, {"say": "1"}, {"say": "/start"}, {"wait": "PT1M"}, {"wait": "PT1H"}, {"wait": "P3D"},
    {"start": {}}, {"signal": {"name": "paid", "data": {"sum": 1}}}, {"event": {"kind": "contact_update"}},
    {"message": {"type": "image", "payload": "~1.1"}}, {"answer": {"node": "call", "body": {"memory": {"seats": 1}}}},
    {"event": {"kind": "owner", "data": {"to": "bot", "by": {"id": "a1", "name": "Kim"}, "agent": None}}},
]  # fmt: skip


@st.composite
def scripts(draw: st.DrawFn) -> dict[str, Any]:
    history = draw(st.sampled_from(HISTORIES))
    steps = draw(st.lists(st.sampled_from([*history["steps"], *EVERYWHERE]), min_size=1, max_size=12))
    return {**history, "steps": steps}


@pytest.fixture
def stepped(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each turn is made once and lost, as in a crash, and then made of what is stored; the kinds of events in their order."""
    kinds: list[str] = []

    def crashing(
        flows: BotFlows, conversation: Conversation, contact: Contact, happening: Happening, tools: Tools
    ) -> Turn:
        kinds.append(happening.kind)
        lost = step(flows, conversation, contact, happening, tools)
        if happening.kind != "code_result":
            conversation, contact = state.decode(state.encode(conversation)), copy.deepcopy(contact)
        made = step(flows, conversation, contact, happening, tools)
        assert shown.turn(happening, made) == shown.turn(happening, lost)
        assert len(made.steps) <= MOST_NODES
        assert len(made.effects) <= MOST_EFFECTS
        if made.code is None:
            assert len(state.encode(made.conversation)) <= 64 * 1024
            if happening.kind in ("call_result", "timer"):
                _is_used(flows, made, happening, tools)
        return made

    monkeypatch.setattr("flowlang.simulation.simulation.interpret", crashing)
    return kinds


def _is_used(flows: BotFlows, made: Turn, happening: Happening, tools: Tools) -> None:
    """The same answer or timer once more does nothing."""
    again = step(flows, made.conversation, made.contact, happening, tools)
    assert (again.effects, again.contact) == ([], made.contact)
    before, after = state.to_dict(made.conversation), state.to_dict(again.conversation)
    assert {**after, "version": before["version"]} == before


def run_code(code: RunCode) -> dict[str, Any]:
    return {"wait": code.wait, "ok": True, "value": 1, "sent": ["ran"], "runs": [], "error": None}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=scripts())
def test_a_crash_or_a_duplicate_changes_nothing_and_a_turn_ends(script: dict[str, Any], stepped: list[str]) -> None:
    told = to_the_end(playing(script), run_code)
    assert {problem.code for problem in told.problems} <= {"cannot-play", "unanswered", "unused-answer"}


def test_the_stepped_turns_are_those_of_a_script(stepped: list[str]) -> None:
    to_the_end(playing(load("call-api")), run_code)
    assert stepped[:2] == ["message", "call_result"]


def test_an_interpreter_that_takes_a_used_wait_is_found_out(
    stepped: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = {
        "one": {"type": "delay", "for": "PT1M", "ports": {"next": "two"}},
        "two": {"type": "delay", "for": "PT1M"},
    }
    script = {"flows": [document(twice)], "steps": [{"say": "/go"}, {"wait": "PT1M"}]}
    to_the_end(playing(script), run_code)
    monkeypatch.setattr(
        "flowlang.running.interpreter._waits_for", lambda session, token, kind: session.wait is not None
    )
    with pytest.raises(AssertionError):
        to_the_end(playing(script), run_code)
    assert stepped == ["message", "timer"] * 2
