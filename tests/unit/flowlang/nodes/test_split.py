"""Ways by weight: each person's stays, the shares are as the weights say, and two splits are independent."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowlang.language.check import check
from flowlang.model import Conversation
from flowlang.running.bot_flows import BotFlows
from support.dialogue import Dialogue, compiled, document


def splitting(*weights: int, node: str = "which", **more: Any) -> dict[str, Any]:
    branches = [{"weight": weight, "to": f"way{place}"} for place, weight in enumerate(weights)]
    ways = {f"way{place}": {"type": "say", "parts": [{"text": str(place)}]} for place in range(len(weights))}
    return {
        node: {"type": "split", "branches": branches, "ports": {"error": "nobody"}, **more},
        **ways,
        "nobody": {"type": "say", "parts": [{"text": "{{ temp.error.type }}"}]},
    }


def way_of(contact_id: str, nodes: dict[str, Any], flow_id: str = "f1", version: int = 1) -> str:
    """The text of the way that the person goes."""
    t = Dialogue(document(nodes))
    t.flows = BotFlows([compiled(document(nodes), flow_id, version)])
    t.contact.id = contact_id
    t.conversation = Conversation("b/c/1", "p", "b", "c", "telegram", "1", contact_id, reachable="subscribed")
    t.say("/go")
    (text,) = t.texts
    return text


people = st.uuids().map(str)
weights = st.lists(st.integers(0, 1_000_000), min_size=2, max_size=6).filter(any)


@given(people, weights, st.integers(2, 99))
def test_a_person_goes_the_same_way_in_each_version_and_never_where_the_weight_is_0(
    person: str, weights: list[int], version: int
) -> None:
    way = way_of(person, splitting(*weights))
    assert way == way_of(person, splitting(*weights, push_profile=True), version=version)
    assert weights[int(way)] > 0


@pytest.mark.parametrize(
    ("person", "way"),
    [
        ("0198b6c5-0000-7000-8000-000000000001", "2"),
        ("0198b6c5-0000-7000-8000-000000000002", "0"),
        ("0198b6c5-0000-7000-8000-000000000003", "1"),
        ("0198b6c5-0000-7000-8000-000000000004", "1"),
    ],
)
def test_the_way_is_the_same_in_each_release(person: str, way: str) -> None:
    assert way_of(person, splitting(50, 30, 20), flow_id="0198b6c5-0000-7000-8000-0000000000f1") == way


def test_the_shares_are_as_the_weights_say_and_those_of_two_splits_are_independent() -> None:
    counts = Counter[tuple[str, str]]()
    nodes = splitting(3, 1)
    nodes["second"] = splitting(1, 1)["which"]
    first = Dialogue(document(nodes))
    second = Dialogue(
        document(nodes, start="second", triggers=[{"id": "go", "type": "command", "value": "/go", "to": "second"}])
    )
    for number in range(2000):
        ways = []
        for t in (first, second):
            t.contact.id = t.conversation.contact_id = f"k{number}"
            t.say("/go")
            ways += t.texts
        counts[ways[0], ways[1]] += 1
    for (mine, other), share in {("0", "0"): 750, ("0", "1"): 750, ("1", "0"): 250, ("1", "1"): 250}.items():
        assert abs(counts[mine, other] - share) < 4 * share**0.5


def test_without_a_person_it_leaves_by_error(talk: Any) -> None:
    t = talk(
        splitting(1, 1),
        [{"id": "url", "type": "command", "value": "/url", "from": ["url"], "to": "which"}],
        nobody=True,
    )
    t.event("url", command="/url", content=None, content_raw="", options={})
    assert t.texts == ["no-person"]


@pytest.mark.parametrize(
    ("weights", "pointers"),
    [
        ((1, 0), []),
        ((0, 0), ["/nodes/which/branches"]),
        ((1,), ["/nodes/which/branches"]),
        ((-1, 2), ["/nodes/which/branches/0/weight"]),
    ],
)
def test_what_cannot_be_shared_out_is_told_on_save(weights: tuple[int, ...], pointers: list[str]) -> None:
    nodes = splitting(*weights)
    if pointers:
        nodes["which"].pop("ports")
        nodes.pop("nobody")
    found = [problem for problem in check(document(nodes)) if problem.severity == "error"]
    assert [problem.pointer for problem in found] == pointers
