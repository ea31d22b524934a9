"""A trigger kind of somebody else's package, found by its entry point: no file of the product knows of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from support.plugins import run_with

HERE = Path(__file__).parent
KINDS = ("reachability", "contact_update", "message_result", "signal", "timer")


@pytest.fixture(scope="module")
def found() -> Any:
    return run_with(HERE / "happenings", script=HERE / "happening.py")


def test_it_is_checked_on_save(found: Any) -> None:
    assert found["problems"]["good"] == []
    assert [(one["pointer"], one["code"]) for one in found["problems"]["bad"]] == [
        ("/triggers/0/what", "literal-error")
    ]


def test_it_is_in_the_json_schema(found: Any) -> None:
    validator = jsonschema.Draft202012Validator(found["schema"])
    flow = {"schema": "flow/1", "slug": "a", "name": "A", "start": "hello", "nodes": {"hello": {"type": "end"}}}
    trigger = {"id": "t", "type": "happens", "what": "signal", "to": "hello"}
    assert validator.is_valid({**flow, "triggers": [trigger]})
    assert not validator.is_valid({**flow, "triggers": [{**trigger, "what": "rain"}]})


@pytest.mark.parametrize("kind", KINDS)
def test_a_flow_is_entered_by_every_kind_of_event(found: Any, kind: str) -> None:
    entered = found["with"][kind]
    assert entered["launched"] == {"id": kind, "type": "happens"}
    assert entered["path"] == [kind]
    assert entered["texts"] == [kind if kind != "contact_update" else "Tagged vip"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_event_does_nothing_where_no_trigger_takes_it(found: Any, kind: str) -> None:
    assert (found["without"][kind]["texts"], found["without"][kind]["events"]) == ([], [])


def test_what_a_session_waits_for_is_taken_by_it(found: Any) -> None:
    other, awaited = found["waiting"]
    assert other["path"] == ["signal"]
    assert awaited["path"] == ["wait", "shipped"]
