"""Whatever bytes an inbound record is made of, it is decoded or a dead letter: nobody's conversation could be held for it."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import given

from contracts import inbound
from contracts.dlq import ERROR_CODE
from flow_engine.batch.decoding import decoded
from flow_engine.turn.event import Arrived
from servicekit.kafka.records import Record, dead_letter
from servicekit.loop.batches import DeadRecord
from support.any_bytes import records

PLACE = {"project_id": "p", "bot_id": "b", "channel_id": "c", "channel_type": "telegram", "peer_id": "1"}
COMMON: dict[str, Any] = {**PLACE, "received_at": "2026-01-01T00:00:00.000Z"}
KINDS = [model.model_fields["kind"].default for model in get_args(get_args(inbound.Inbound)[0])]
GOOD = [
    {**COMMON, "kind": "message", "message_id": "m1", "text": "hi"},
    {**COMMON, "kind": "signal", "name": "paid", "channel_id": "-", "peer_id": "-", "person": {"email": "a@b.c"}},
]
TYPES = [f"dev.switchhook.inbound.{kind}" for kind in KINDS]


@given(records(inbound.TOPIC.name, GOOD, TYPES, [b"b/c/1", b"b/-/email:a@b.c"]))
def test_an_inbound_record(record: Record) -> None:
    found = decoded(record)
    if isinstance(found, Arrived):
        assert len(str(found.stamp.offset)) < 20
    else:
        assert isinstance(found, DeadRecord)
        assert dict(dead_letter("flow-engine", *found).headers)[ERROR_CODE]
