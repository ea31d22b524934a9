"""Files of bots have the fields that the registry takes, with what it does where one is left out."""

from __future__ import annotations

from typing import Any

import pytest

from botfiles.kinds import API_CALL, BOT, ENDPOINT, SEGMENT, TRIGGER, Kind
from registry.resources.api_calls import NewApiCall
from registry.resources.bots import NewBot
from registry.resources.endpoints import NewEndpoint
from registry.resources.segments import NewSegment
from registry.resources.triggers import NewTrigger
from registry.values.inputs import Input

IN_WORDS = {"channel_id": "channel", "token_id": "token", "peer": "group"}
"""Fields of a trigger that files write by names."""


@pytest.mark.parametrize(
    ("kind", "new"), [(BOT, NewBot), (SEGMENT, NewSegment), (API_CALL, NewApiCall), (ENDPOINT, NewEndpoint)]
)
def test_fields_and_defaults_are_those_of_the_registry(kind: Kind, new: type[Input]) -> None:
    fields: dict[str, Any] = new.model_fields
    optional = {
        name: field.get_default(call_default_factory=True)
        for name, field in fields.items()
        if not field.is_required() and name not in kind.required
    }
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in optional.items()}
    assert plain == kind.optional, "a new field of the registry belongs into botfiles.kinds"
    assert set(kind.required) == fields.keys() - optional.keys()


def test_fields_of_triggers_are_those_of_the_registry_by_names() -> None:
    names = {IN_WORDS.get(name, name) for name in NewTrigger.model_fields} - {"new_token"}
    assert names == {*TRIGGER.required, *TRIGGER.optional}
