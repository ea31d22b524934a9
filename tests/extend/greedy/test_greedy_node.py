"""A node that does not end takes its own worker, and no more: not the engine, not its partition, not another project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.plugins import run_with

HERE = Path(__file__).parent
ENDLESS = ("cpu", "memory", "time", "life")


@pytest.fixture(scope="module")
def found() -> Any:
    return run_with(HERE / "greedy", script=HERE / "taking.py")


@pytest.mark.parametrize("what", ENDLESS)
def test_its_error_port_is_left_by(found: Any, what: str) -> None:
    assert found["said"][what] == ["Sorry: program-ended"]


@pytest.mark.parametrize("what", ENDLESS)
def test_another_project_in_the_same_batch_goes_on(found: Any, what: str) -> None:
    assert found["neighbour"][what] == ["HELLO"]


def test_where_no_port_is_drawn_the_flow_has_failed(found: Any) -> None:
    assert found["said"]["life-undrawn"] == []
    assert found["failed"] == ["program-ended"]


def test_nothing_is_held_and_the_conversation_goes_on(found: Any) -> None:
    assert set(found["held"].values()) == {0}
    assert found["dead"] == []
    assert {tuple(said) for said in found["after"].values()} == {("Took nothing.",)}


def test_a_node_that_ends_is_no_error(found: Any) -> None:
    assert found["said"]["nothing"] == ["Took nothing."]


def test_who_takes_all_cpu_is_answered_within_seconds(found: Any) -> None:
    assert found["seconds"]["cpu"] < 5  # A second alone on a core; what else the machine does comes on top.
