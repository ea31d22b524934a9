"""A node type of somebody else's package, found by its entry point: no file of the product knows of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from support.plugins import run_with

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def found() -> Any:
    return run_with(HERE / "greetings", script=HERE / "greeting.py")


def test_it_is_checked_on_save(found: Any) -> None:
    problems = found["problems"]
    assert problems["good"] == []
    assert {(one["pointer"], one["code"]) for one in problems["bad"]} == {
        ("/nodes/hello/whom", "template"),
        ("/nodes/hello/ports/later", "unknown-port"),
    }
    assert {(one["pointer"], one["code"]) for one in problems["worse"]} == {
        ("/nodes/hello/whom", "missing"),
        ("/nodes/hello/loudness", "less-than-equal"),
        ("/nodes/hello/tone", "unknown-field"),
    }


def test_it_is_in_the_json_schema(found: Any) -> None:
    validator = jsonschema.Draft202012Validator(found["schema"])
    flow = {"schema": "flow/1", "slug": "a", "name": "A", "start": "hello"}
    assert validator.is_valid({**flow, "nodes": {"hello": {"type": "greet", "whom": "you"}}})
    assert not validator.is_valid({**flow, "nodes": {"hello": {"type": "greet", "whom": "you", "loudness": 9}}})


def test_it_is_described_as_ours_are(found: Any) -> None:
    (described,) = found["described"]
    assert described["description"].startswith("Say hello to `whom`")
    assert described["ports"] == ["next", "error"]
    assert found["page"].startswith("# The node `greet`")


def test_it_runs_and_its_error_takes_its_port(found: Any) -> None:
    assert found["texts"] == ["Hello, Ann!!", "nobody-to-greet"]
    assert found["path"] == ["hello", "again", "sorry"]
