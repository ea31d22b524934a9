"""What a case expects, and the sentence where it is not so."""

from __future__ import annotations

from typing import Any

import pytest

from flowlang.language.cases import Case
from flowlang.simulation.cases import play_case, to_the_end
from flowlang.simulation.stage import flows_of
from support.dialogue import document

NODES = {
    "greet": {"type": "say", "parts": [{"text": "Hello, Ann!"}], "ports": {"next": "tell"}},
    "tell": {
        "type": "send_webhook", "title": "Came", "url": "https://crm.example.com/in", "ports": {"next": "tag"}
    },
    "tag": {"type": "tag", "add": ["met"], "ports": {"next": "points"}},
    "points": {"type": "set", "values": {"memory.points": 3, "user.city": "Oslo"}, "ports": {"next": "call"}},
    "call": {"type": "call_api", "api": "seats", "params": {"n": 1}},
}  # fmt: skip
HOLDS: dict[str, Any] = {
    "says": ["Hello, Ann!"],
    "mentions": ["Ann"],
    "nodes": ["greet", "tell", "tag", "points", "call"],
    "waits_at": "call",
    "user": {"tags": ["met"], "city": "Oslo"},
    "memory": {"points": 3},
    "webhooks": [{"title": "Came", "contact": {"name": "Ann"}}],
    "calls": [{"api": "seats", "params": {"n": 1}}],
    "effects": [{"effect": "patch_contact", "add_tags": ["met"]}],
    "events": ["tag.added"],
}


def problems(expect: dict[str, Any], *, of_all: bool = False) -> list[tuple[str, str]]:
    step = {"say": "/go"} | ({} if of_all else {"expect": expect})
    case = Case.model_validate(
        {"name": "it", "given": {"user": {"name": "Ann"}}, "steps": [step]} | ({"expect": expect} if of_all else {})
    )
    told = to_the_end(play_case(flows_of([document(NODES)]), "story", case), lambda code: {})
    return [(one.pointer, one.message) for one in told.problems if one.severity == "error"]


@pytest.mark.parametrize("of_all", [False, True])
def test_what_is_so_is_no_problem(of_all: bool) -> None:
    assert problems(HOLDS, of_all=of_all) == []


@pytest.mark.parametrize(
    ("expect", "place", "sentence"),
    [
        ({"says": ["Hello"]}, "says", "expected ['Hello'], was ['Hello, Ann!']"),
        ({"says": []}, "says", "expected [], was ['Hello, Ann!']"),
        ({"mentions": ["Bob"]}, "mentions", "no text has 'Bob': ['Hello, Ann!']"),
        ({"nodes": ["greet"]}, "nodes", "expected ['greet'], was ['greet', 'tell', 'tag', 'points', 'call']"),
        ({"waits_at": None}, "waits_at", "expected None, was 'call'"),
        ({"user": {"tags": []}}, "user/tags", "expected [], was ['met']"),
        ({"memory": {"points": 3.0}}, "memory/points", "expected 3.0, was 3"),
        ({"memory": {"points": True}}, "memory/points", "expected True, was 3"),
        ({"webhooks": []}, "webhooks", "0 are expected, there are 1: "),
        ({"webhooks": [{"title": "Went"}]}, "webhooks/0", "expected {'title': 'Went'}, was {"),
        ({"calls": [{"params": {"n": 2}}]}, "calls/0", "expected {'params': {'n': 2}}, was {"),
        ({"effects": [{"effect": "run_command"}]}, "effects", "there is no {'effect': 'run_command'}"),
        ({"events": ["flow.failed"]}, "events", "no flow.failed was told: ["),
        ({"ends": "completed"}, "ends", "expected 'completed', was None"),
    ],
)
def test_what_is_not_so_is_told(expect: dict[str, Any], place: str, sentence: str) -> None:
    [(pointer, message)] = problems(expect)
    assert pointer == f"/steps/0/expect/{place}"
    assert message.startswith(sentence)


def test_of_all_steps_it_points_to_the_case() -> None:
    assert [pointer for pointer, _ in problems({"says": []}, of_all=True)] == ["/expect/says"]


def test_a_request_is_named_by_its_own_fields() -> None:
    nodes = {
        "look": {"type": "http_request", "method": "POST", "url": "https://shop.example.com/orders", "json": {"n": 1}}
    }
    expect = {
        "calls": [
            {"kind": "http_request", "method": "POST", "url": "https://shop.example.com/orders", "body": {"n": 1}}
        ]
    }
    case = Case.model_validate({"name": "it", "steps": [{"say": "/go", "expect": expect}]})
    told = to_the_end(play_case(flows_of([document(nodes)]), "story", case), lambda code: {})
    assert [one for one in told.problems if one.severity == "error"] == []
