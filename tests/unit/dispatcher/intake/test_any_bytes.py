"""Whatever bytes an action or event is made of, it is a delivery, a dead letter, or a fault of the record's own."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
from hypothesis import given

from contracts import actions, events
from contracts.cloudevents import REGISTRY_INCARNATION, REGISTRY_OFFSET
from dispatcher.intake.actions_handler import delivery_of
from dispatcher.intake.decoding import ActionDecoder, DayWindow, decode_event
from dispatcher.intake.events_handler import _stamp
from dispatcher.kinds.table import DELIVERY_KINDS
from servicekit.kafka.records import Record
from support.any_bytes import moving_on, records
from support.deliveries import AT, CONVERSATION, call, say, step_webhook

ACTIONS = [orjson.loads(action.encode()) for action in (say("Hi"), call(), step_webhook())]
TYPES = [f"dev.switchhook.action.{body['kind']}" for body in ACTIONS]
EVENT = {"type": "tag.added", "timestamp": AT, "data": {"tag": "vip"}}


@given(records(actions.TOPIC.name, ACTIONS, TYPES, [CONVERSATION.encode()]))
def test_an_action(record: Record) -> None:
    with moving_on():
        arrived, kind = ActionDecoder(DELIVERY_KINDS.values()).decode(record)
        delivery_of(arrived, kind, DayWindow(10_000), datetime.now(UTC))


@given(records(events.TOPIC.name, [EVENT], ["dev.switchhook.tag.added"]))
def test_an_event(record: Record) -> None:
    headers = dict(record.headers)
    assert len(str(_stamp(headers.get(REGISTRY_OFFSET), headers.get(REGISTRY_INCARNATION)).offset)) < 20
    with moving_on():
        decode_event(record)
