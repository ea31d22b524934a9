"""What differs between two versions of a flow."""

from __future__ import annotations

import copy
from typing import Any

from registry.values.flow_diff import difference

FLOW: dict[str, Any] = {
    "schema": "flow/1", "slug": "f", "name": "F", "start": "a",
    "variables": {"n": {"type": "integer", "scope": "memory"}},
    "triggers": [{"id": "hello", "type": "command", "value": "/start", "to": "a"}, {"id": "lost", "type": "no_match", "to": "a"}],
    "nodes": {"a": {"type": "say", "parts": [{"text": "Hi"}], "ports": {"next": "b/c"}}, "b/c": {"type": "end"}},
}  # fmt: skip
NOTHING = {"added": [], "removed": [], "changed": []}


def changed(change: Any) -> dict[str, Any]:
    after = copy.deepcopy(FLOW)
    change(after)
    return difference(FLOW, after)


def test_a_version_does_not_differ_from_itself() -> None:
    same = {"nodes": NOTHING, "triggers": NOTHING, "variables": NOTHING, "changes": []}
    assert difference(FLOW, copy.deepcopy(FLOW)) == same


def test_a_changed_value_is_shown_by_its_pointer() -> None:
    found = changed(lambda flow: flow["nodes"]["a"]["parts"][0].update(text="Hello"))
    assert found["nodes"] == NOTHING | {"changed": ["a"]}
    assert found["changes"] == [
        {"pointer": "#/nodes/a/parts/0/text", "kind": "changed", "before": "Hi", "after": "Hello"}
    ]


def test_nodes_come_and_go_whole() -> None:
    def change(flow: dict[str, Any]) -> None:
        del flow["nodes"]["b/c"]
        flow["nodes"]["d"] = {"type": "end"}

    found = changed(change)
    assert found["nodes"] == {"added": ["d"], "removed": ["b/c"], "changed": []}
    assert [(one["kind"], one["pointer"]) for one in found["changes"]] == [
        ("removed", "#/nodes/b~1c"), ("added", "#/nodes/d"),
    ]  # fmt: skip


def test_triggers_are_known_by_their_ids_and_their_order_counts() -> None:
    def change(flow: dict[str, Any]) -> None:
        flow["triggers"].reverse()
        flow["triggers"][1]["value"] = "/hello"

    found = changed(change)
    assert found["triggers"] == NOTHING | {"changed": ["hello"]}
    assert found["changes"] == [
        {"pointer": "#/triggers", "kind": "moved", "before": ["hello", "lost"], "after": ["lost", "hello"]},
        {"pointer": "#/triggers/1/value", "kind": "changed", "before": "/start", "after": "/hello"},
    ]


def test_variables_and_the_flows_own_fields_are_compared_as_json() -> None:
    def change(flow: dict[str, Any]) -> None:
        flow["variables"]["n"]["scope"] = "user"
        flow["nodes"]["a"]["push_profile"] = 1
        flow["on_error"] = "a"

    found = changed(change)
    assert found["variables"] == NOTHING | {"changed": ["n"]}
    assert [one["pointer"] for one in found["changes"]] == [
        "#/nodes/a/push_profile", "#/on_error", "#/variables/n/scope",
    ]  # fmt: skip
    assert difference({"nodes": {"a": {"x": 1}}}, {"nodes": {"a": {"x": True}}})["nodes"]["changed"] == ["a"]


def test_lists_of_other_lengths_are_one_change() -> None:
    found = changed(lambda flow: flow["nodes"]["a"]["parts"].append({"text": "there"}))
    assert [one["pointer"] for one in found["changes"]] == ["#/nodes/a/parts"]
