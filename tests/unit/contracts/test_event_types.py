"""The table of event types."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contracts.event_types import EVENTS, EventKind
from contracts.events import Event

ROOT = Path(__file__).parents[3]
SAID = re.compile(r"""(?:EmitEvent|emit_event|\btell|\bevent|\bfound)\(\s*"([a-z_]+\.[a-z_]+)\"""")
"""A call that makes an event of a type that is written there."""


@pytest.mark.parametrize("kind", EVENTS.values(), ids=lambda kind: kind.name)
def test_a_sample_is_the_data_of_an_event(kind: EventKind) -> None:
    made = Event.model_validate_json(
        Event(type=kind.name, timestamp="2026-11-21T00:01:00Z", data=dict(kind.sample)).encode()
    )
    assert made.data == kind.sample
    assert kind.data.model_validate(made.data).model_dump(mode="json", exclude_unset=True) == kind.sample, (
        "all is described"
    )


def test_every_type_that_is_emitted_has_a_row() -> None:
    sources = [*ROOT.glob("services/*/src/**/*.py"), *ROOT.glob("libs/*/src/**/*.py")]
    emitted = {type for source in sources for type in SAID.findall(source.read_text())}
    assert {"flow.launched", "redirect.followed", "message.failed", "delivery.exhausted"} <= emitted
    assert emitted <= EVENTS.keys()
