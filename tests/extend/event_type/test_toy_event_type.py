"""A new type of event is one row: endpoints can choose it, the dispatcher takes and delivers it, the docs show it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from pydantic import TypeAdapter, ValidationError

from contracts import cloudevents, events
from contracts.event_types import EVENTS, EventKind
from contracts.events import Event
from devstack.reference_docs import pages
from dispatcher.errors import Unreadable
from dispatcher.intake import fan_out
from dispatcher.intake.decoding import decode_event
from registry.resources.endpoints import NewEndpoint
from registry.values.inputs import EventTypes
from servicekit.kafka.records import Record
from support.deliveries import endpoint

PAID = EventKind("order.paid", "Somebody paid", {"order": {"id": "17"}})
CHOICES: TypeAdapter[Any] = TypeAdapter(EventTypes)
NOW = "2026-11-21T00:01:00.000Z"


@pytest.fixture
def row(monkeypatch: pytest.MonkeyPatch) -> EventKind:
    monkeypatch.setitem(EVENTS, PAID.name, PAID)
    return PAID


def record() -> Record:
    """As a service of this stack publishes it."""
    headers = cloudevents.headers(id="1", type=PAID.name, source="/test", time=NOW, subject="c", project="project-1")
    value = orjson.dumps({"type": PAID.name, "timestamp": NOW, "data": dict(PAID.sample)})
    return Record(events.TOPIC.name, 0, 0, 0, b"c", value, headers)


def test_without_its_row_nobody_knows_it() -> None:
    with pytest.raises(ValidationError, match=r"no event 'order\.paid'"):
        CHOICES.validate_python(["order.paid"])
    with pytest.raises(Unreadable):
        decode_event(record())
    with pytest.raises(ValidationError):
        Event(type=PAID.name, timestamp=NOW)


def test_endpoints_can_choose_it_and_name_it(row: EventKind) -> None:
    assert CHOICES.validate_python(["order.*", "tag.added"]) == ("order.paid", "tag.added")
    made = NewEndpoint(url="https://shop.example/hook", events=("order.paid",), title_map={"order.paid": "Paid"})
    assert made.events == ("order.paid",)


def test_the_dispatcher_takes_it_and_sends_it_to_who_chose_it(row: EventKind) -> None:
    arrived = decode_event(record())
    assert arrived.body["type"] == "order.paid"
    chosen = endpoint(events=("order.paid",))
    assert fan_out.by_type([chosen])["order.paid"] == (chosen,)
    assert fan_out.matches(chosen, arrived.body)


def test_services_may_say_it_and_the_docs_show_it(row: EventKind) -> None:
    assert Event(type=PAID.name, timestamp=NOW, data=dict(PAID.sample)).type == "order.paid"
    assert "| [`order.paid`](#orderpaid) | Somebody paid | conversation |" in pages()["events.md"]
    assert '"data": {"order": {"id": "17"}}' in pages()["events.md"]
