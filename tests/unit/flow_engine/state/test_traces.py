"""A turn's trace is packed into few bytes, within a limit, and shown again."""

from __future__ import annotations

from typing import Any

from flow_engine.state.traces import LIMIT, VALUE_LIMIT, Change, packed, shown, steps_of

EVENT = ("e1", "message", "2026-11-21T00:01:00.000Z")


def step(node: str, flow: str = "f1", **more: Any) -> dict[str, Any]:
    return {"flow_id": flow, "flow_version": 2, "node": node, "type": "say", **more}


def test_nodes_come_back_as_they_ran() -> None:
    error = {"type": "timeout", "detail": "seats-left did not answer in time"}
    steps = [
        step("a", port="next"), step("b", "f2", port="ok", missing=["user.name"]), step("c"), step("d", error=error),
        {"node": None, "type": "timer", "port": "late"},
    ]  # fmt: skip
    found = shown(7, packed(EVENT, steps, {}, {}))
    assert (found["turn"], found["event"], found["at"]) == (7, {"id": "e1", "kind": "message"}, EVENT[2])
    assert [(one["flow_id"], one["node"], one["port"]) for one in found["nodes"]] == [
        ("f1", "a", "next"), ("f2", "b", "ok"), ("f1", "c", None), ("f1", "d", None), (None, None, "late"),
    ]  # fmt: skip
    assert [one["missing"] for one in found["nodes"]] == [[], ["user.name"], [], [], []]
    assert [one["error"] for one in found["nodes"]] == [None, None, None, error, None]


def test_what_a_language_model_took_and_wants_made_is_shown() -> None:
    tokens = {"input": 100, "output": 20}
    steps = [step("ask", tokens=tokens, tool="book"), step("ask", port="ok", tokens=tokens), step("bye")]
    found = shown(1, packed(EVENT, steps, {}, {}))["nodes"]
    assert [(one["tool"], one["tokens"], one["port"]) for one in found] == [
        ("book", tokens, None), (None, tokens, "ok"), (None, None, None),
    ]  # fmt: skip
    assert steps_of(packed(EVENT, steps, {}, {})) == steps


def test_a_turn_of_three_nodes_takes_under_two_hundred_bytes() -> None:
    """Beside the id of its event and of its flow, which are 36 characters each."""
    id = "01926b5c-0000-7000-8000-000000000000"
    steps = [step(name, id, port="next") for name in ("check", "note", "answer")]
    assert (
        len(packed((id, "message", EVENT[2]), steps, {"memory": [(id, "line", None, "for Anna")]}, {})) < 200 + 3 * 36
    )


def test_long_values_are_cut_and_the_rest_stays() -> None:
    changes: list[Change] = [
        ("f1", "short", 1, 2),
        ("f1", "long", None, "é" * LIMIT),
        ("f1", "list", ["x" * LIMIT], []),
    ]
    body = packed(EVENT, [step("a", port="next")], {"memory": changes}, {"refused": {"type": "x", "detail": "y"}})
    found = shown(1, body)
    assert len(body) < LIMIT
    assert (found["cut"], found["nodes"][0]["node"], found["refused"]["type"]) == (True, "a", "x")
    short, long, listed = found["variables"]
    assert (short["before"], short["after"], long["before"], listed["after"]) == (1, 2, None, [])
    assert long["after"].startswith('"é')
    assert len(long["after"].encode()) <= VALUE_LIMIT
    assert listed["before"].startswith('["xx')


def test_what_is_too_much_even_so_keeps_its_nodes() -> None:
    steps = [step(f"n{number}", port="next", missing=["user.name"] * 50) for number in range(110)]
    body = packed(EVENT, steps, {"user": [(None, f"v{number}", None, "x" * 900) for number in range(60)]}, {})
    found = shown(1, body)
    assert len(body) < LIMIT
    assert [one["node"] for one in found["nodes"]] == [f"n{number}" for number in range(110)]
    assert (found["variables"], found["cut"]) == ([], True)


def test_what_is_cut_to_its_nodes_keeps_their_errors_and_why_the_turn_failed() -> None:
    error = {"type": "memory-full", "detail": "x" * 1000}
    steps = [step(f"n{number}", port="error", error=error) for number in range(110)]
    more = {"failed": {"type": "too-large", "detail": "y" * LIMIT}, "calls": [("id", "call", "z" * 200)] * 60}
    body = packed(EVENT, steps, {}, more)
    found = shown(1, body)
    assert len(body) < LIMIT
    errors = [one["error"] for one in found["nodes"]]
    assert [one["type"] for one in errors if one] == ["memory-full"] * 20
    assert (errors[0], errors[-1]["detail"]) == (None, "x" * 100 + "…")
    assert (found["failed"]["type"], found["failed"]["detail"]) == ("too-large", "y" * 100 + "…")
    assert (found["calls"], found["cut"]) == ([], True)
