"""Committed schemas are those of the code, and nothing released is broken."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from contracts.schemas import breaking_changes, topic_schemas
from devstack.schemas import FOLDER, generated

RELEASED = Path(FOLDER) / "released"


def test_committed_schemas_are_those_of_the_code() -> None:
    committed = {path.name: path.read_text() for path in FOLDER.glob("*.json") if not path.name.startswith("openapi-")}
    assert committed == generated(), "run ./switchhook schemas and commit what it writes"


@pytest.mark.parametrize(
    "name", sorted(path.name.removesuffix(".schema.json") for path in RELEASED.glob("*.schema.json"))
)
def test_schemas_stay_compatible_with_the_last_release(name: str) -> None:
    last = json.loads((RELEASED / f"{name}.schema.json").read_text())
    assert breaking_changes(last, topic_schemas()[name]) == []


def _changed(change: Any) -> list[str]:
    old = topic_schemas()["inbound.v1"]
    new = deepcopy(old)
    change(new["$defs"]["MessageReceived"])
    return breaking_changes(old, new)


def test_a_new_optional_property_is_compatible() -> None:
    assert _changed(lambda schema: schema["properties"].update(added={"type": "string"})) == []


@pytest.mark.parametrize("text", [{"type": "string"}, {"type": "string", "pattern": "^[a-z]+$"}])
def test_an_enum_that_became_any_text_is_compatible(text: Any) -> None:
    assert _changed(lambda schema: schema["properties"].update(type=text)) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda schema: schema["properties"].pop("text"), "properties/text: is gone"),
        (lambda schema: schema["properties"].update(message_id={"type": "integer"}), "was string, is integer"),
        (lambda schema: schema["required"].append("text"), "text became required"),
        (lambda schema: schema["properties"]["type"]["enum"].remove("media"), "'media' is gone"),
        (lambda schema: schema["properties"].update(type={"type": "string", "pattern": "^[^d]*$"}), "'media' is gone"),
    ],
)
def test_a_breaking_change_is_named(change: Any, complaint: str) -> None:
    found = _changed(change)
    assert len(found) == 1
    assert complaint in found[0]
