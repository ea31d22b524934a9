"""What `bench nodes` measures."""

from __future__ import annotations

from bench.nodes import CASES, measured

from flowlang.nodes.registry import NODE_TYPES


def test_every_type_of_node_is_measured_and_what_waits_is_woken() -> None:
    assert CASES.keys() == NODE_TYPES.keys()
    _, figures = measured(list(CASES), rounds=1, count=1)
    waiting = {type for type, model in NODE_TYPES.items() if model.WAITS}
    assert waiting <= {type for type, each in figures.items() if "wakes" in each}
    assert all(each["turn"] > 0 for each in figures.values())
