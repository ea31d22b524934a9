"""`in_segment` in conditions and triggers' `when`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from flowlang.building.compiler import KnownNames
from flowlang.language.check import check
from flowlang.segments.filter import SegmentFilter
from flowlang.segments.kept import KeptFilters
from flowlang.work import Elsewhere
from support.dialogue import Dialogue

FILTERS = {
    "vips": '"vip" in contact.tags',
    "rich": "contact.variables.points > 5",
    "ours": 'contact.bot_id == "b" && contact.name == "Ann" && now > timestamp("2026-11-21T11:59:59Z")',
    "walked": 'contact.tags.exists(tag, tag.startsWith("v"))',
    "seen": "has(contact.last_seen_at)",
    "of-before": "contact.something_else",
    "costly": "contact.variables.many.all(x, " + "x < 9999 && " * 100 + "true)",
}


def flow(condition: str, **more: Any) -> dict[str, Any]:
    return {
        "schema": "flow/1",
        "slug": "f",
        "name": "f",
        "start": "tag",
        "triggers": [{"id": "hi", "type": "command", "value": "/hi", "to": "ask"}, *more.pop("triggers", ())],
        "nodes": {
            "ask": {
                "type": "condition",
                "branches": [{"if": condition, "to": "in"}],
                "else": "out",
                "ports": {"error": "failed"},
            },
            "tag": {"type": "tag", "add": ["vip"], "ports": {"next": "ask"}},
            "in": {"type": "say", "parts": [{"text": "in"}]},
            "out": {"type": "say", "parts": [{"text": "out"}]},
            "failed": {"type": "say", "parts": [{"text": "{{ temp.error.detail }}"}]},
        },
    }


def dialogue(document: dict[str, Any]) -> Dialogue:
    kept, made = KeptFilters(), Dialogue(document)
    made.tools = replace(
        made.tools, segment=lambda name, make: kept.filter(FILTERS[name], make) if name in FILTERS else None
    )
    return made


def said(condition: str, **contact: Any) -> str:
    person = dialogue(flow(condition))
    person.contact = replace(person.contact, **contact)
    person.say("/hi")
    (text,) = person.texts
    return str(text)


def test_a_condition_asks_whether_the_person_is_in_a_segment() -> None:
    assert said('in_segment("vips")') == "out"
    assert said('in_segment("vips")', tags=["vip"]) == "in"
    assert said('in_segment("rich") || in_segment("ours")') == "in"
    assert said('!in_segment("rich")', variables={"points": "many"}) == "in"
    assert said('in_segment("walked")', tags=["old", "vip"]) == "in"
    assert said('in_segment("vips") && user.points == 3', tags=["vip"], variables={"points": 3}) == "in"


def test_the_person_is_asked_as_they_are_now_in_the_turn() -> None:
    person = dialogue(flow('in_segment("vips")'))
    person.start()
    assert person.texts == ["in"]


@pytest.mark.parametrize("name", ["unheard-of", "seen", "of-before"])
def test_a_segment_that_a_flow_cannot_ask_for_is_the_conditions_error(name: str) -> None:
    assert said(f'in_segment("{name}")').startswith(f"there is no segment '{name}' that a flow may ask for")
    assert said(f'in_segment("{name}") || true') == "in"


def test_a_trigger_is_passed_by_by_who_is_not_in_its_segment() -> None:
    triggers = [
        {"id": "vip", "type": "keyword", "any": ["hello"], "when": 'in_segment("vips")', "to": "in"},
        {"id": "gone", "type": "keyword", "any": ["hello"], "when": 'in_segment("unheard-of")', "to": "in"},
        {"id": "all", "type": "keyword", "any": ["hello"], "to": "out"},
    ]
    person = dialogue(flow("true", triggers=triggers))
    person.say("hello")
    assert person.texts == ["out"]
    person.contact = replace(person.contact, tags=["vip"])
    person.say("hello")
    assert person.texts == ["in"]


def test_what_a_filter_costs_is_counted_and_what_is_not_cheap_by_its_form_comes_to_the_gate() -> None:
    many = {"many": list(range(1000))}
    assert "costs too much" in said('in_segment("costly")', variables=many)

    def gate() -> None:
        raise Elsewhere

    person = dialogue(flow('in_segment("vips")'))
    person.tools = replace(person.tools, gate=gate)
    person.say("/hi")
    assert person.texts == ["out"]
    person = dialogue(flow('in_segment("walked")'))
    person.tools = replace(person.tools, gate=gate)
    with pytest.raises(Elsewhere):
        person.say("/hi")


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ('in_segment("vips")', None),
        ('in_segment("gone")', "there is no segment 'gone'"),
        ('in_segment("seen")', "which a flow does not know"),
        ("in_segment(user.name)", "as a literal"),
        ("in_segment()", "as a literal"),
        ('user.tags.exists(tag, in_segment("vips"))', "costs too much"),
        ('"a".in_segment("vips")', "there is no function 'in_segment'"),
        ("in_segment == 3", "there is no 'in_segment'"),
    ],
)
def test_a_flow_is_told_what_it_asks_for_that_there_is_not(condition: str, said: str | None) -> None:
    known = KnownNames(segments={"vips": True, "seen": SegmentFilter(FILTERS["seen"]).is_for_turns})
    problems = [one for one in check(flow(condition), known) if one.severity == "error"]
    assert [one.pointer for one in problems] == (["/nodes/ask/branches/0/if"] if said else [])
    assert said is None or said in problems[0].message
    assert not [one for one in check(flow('in_segment("gone")')) if one.severity == "error"]  # Not known, not checked.
