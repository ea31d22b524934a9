"""What is counted of a turn."""

from __future__ import annotations

from typing import Any

import pytest

from flow_engine.state.work import Work
from flow_engine.store.node_counts import CountRow, rows
from flow_engine.turn.counting import MOST_TOKENS, count
from flowlang.model import Contact, Conversation, Turn


def step(node: str, **more: Any) -> dict[str, Any]:
    return {"flow_id": "f", "flow_version": 2, "node": node, "type": "say", **more}


def counted(*turns: tuple[list[dict[str, Any]], list[int]]) -> list[tuple[str, str, int, int, int, int]]:
    """(node, port, times left, times reached, input tokens, output tokens) of a batch with these turns: steps, and which of them were reached."""
    work, conversation = Work(), Conversation("b/c/1", "p", "b", "c", "http", "1", "")
    for steps, reached in turns:
        count(work, Turn(conversation, Contact(""), steps=steps, reached=reached), 3)
    made: list[CountRow] = rows(work)
    assert work.counting_part == 3
    assert {row[:2] for row in made} <= {("f", 2)}
    return [row[2:] for row in made]


def test_a_node_that_goes_on_was_reached_once() -> None:
    asked = ([step("ask")], [0])
    wrong = ([step("ask")], [])
    right = ([step("ask", port="ok"), step("tell", port="next")], [1])
    assert counted(asked, wrong, right, asked) == [
        ("ask", "", 0, 2, 0, 0),
        ("ask", "ok", 1, 0, 0, 0),
        ("tell", "next", 1, 1, 0, 0),
    ]


def test_what_is_no_node_is_not_counted() -> None:
    assert counted(([{"node": None, "type": "tap", "port": "late"}, step("tell", port="next")], [1])) == [
        ("tell", "next", 1, 1, 0, 0)
    ]


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ({"input": 5, "output": 2}, (5, 2)),
        ({"input": 10**30, "output": -1}, (MOST_TOKENS, 0)),
        ({"input": "many"}, (0, 0)),
        ("many", (0, 0)),
    ],
)
def test_tokens_are_those_of_a_model_and_whatever_else_there_is_harms_nobody(
    tokens: Any, expected: tuple[int, int]
) -> None:
    assert counted(([step("ai", tokens=tokens)], [0])) == [("ai", "", 0, 1, *expected)]
