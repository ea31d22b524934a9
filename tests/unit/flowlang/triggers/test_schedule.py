"""Schedules as they stand in documents."""

from __future__ import annotations

from typing import Any

import pytest

from flowlang.building.compiler import KnownNames
from flowlang.language.check import check
from support.dialogue import Dialogue, document

SAY = {"type": "say", "parts": [{"text": "{{ event.variables.moment }}"}]}
DAILY = {"id": "daily", "type": "schedule", "cron": "0 9 * * *", "timezone": "Europe/Riga", "to": "say"}


def wrong(known: KnownNames | None = None, **more: Any) -> dict[str, str]:
    found = check(document({"say": SAY}, [DAILY | more]), known)
    return {problem.pointer: problem.code for problem in found if problem.severity == "error"}


@pytest.mark.parametrize(
    ("more", "problems"),
    [
        ({}, {}),
        ({"grace": "P2D", "rate": 500, "segment": "students"}, {}),
        ({"cron": "0 0 31 2 *"}, {"/triggers/1/cron": "cron"}),
        ({"cron": "hourly"}, {"/triggers/1/cron": "cron"}),
        ({"timezone": "Riga"}, {"/triggers/1/timezone": "cron"}),
        ({"grace": "PT1S"}, {"/triggers/1/grace": "grace"}),
        ({"grace": "P3D"}, {"/triggers/1/grace": "grace"}),
        ({"rate": 501}, {"/triggers/1/rate": "less-than-equal"}),
    ],
)
def test_what_is_wrong_with_it_is_found(more: dict[str, Any], problems: dict[str, str]) -> None:
    assert wrong(**more) == problems


def test_any_segment_of_the_project_will_do() -> None:
    """Also one that flows cannot ask for: its members are walked."""
    assert wrong(KnownNames(segments={"students": False}), segment="students") == {}
    assert wrong(KnownNames(segments={}), segment="students") == {"/triggers/1/segment": "unknown-segment"}


def test_a_run_sees_its_moment_and_a_condition_decides() -> None:
    t = Dialogue(document({"say": SAY}, [DAILY | {"when": "'vip' in user.tags"}]))
    t.start("daily", moment="2026-11-23T07:00:00Z")
    assert (t.texts, t.turn.refused and t.turn.refused.type) == ([], "condition-not-met")
    t.contact.tags.append("vip")
    t.start("daily", moment="2026-11-23T07:00:00Z")
    assert t.texts == ["2026-11-23T07:00:00Z"]
    assert t.event_data("flow.launched") == {"trigger": {"id": "daily", "type": "schedule"}}


def test_it_runs_like_a_call_from_where_the_conversation_waits() -> None:
    ask = {"type": "ask", "text": "?", "input": {"type": "text"}}
    t = Dialogue(document({"ask": ask, "say": SAY}, [DAILY]))
    t.say("/go")
    t.start("daily", moment="now")
    assert (t.texts, t.waits_at) == (["now"], "ask")
    t = Dialogue(document({"ask": ask, "say": SAY}, [DAILY | {"to": "ask"}]))
    t.say("/go")
    t.start("daily", moment="now")
    assert (t.texts, t.waits_at, t.conversation.stack) == (["?"], "ask", [])
