"""What cannot be decoded is told by one word."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from flow_engine.batch.decoding import LARGEST_RECORD, decode
from flow_engine.errors import Undecodable
from servicekit.kafka.records import Record
from servicekit.registry_view.stamps import Stamp

BODY = {
    "kind": "message",
    "project_id": "p",
    "bot_id": "b",
    "channel_id": "c",
    "peer_id": "1",
    "received_at": "2026-01-01T00:00:00.000Z",
    "message_id": "m1",
    "text": "hi",
}
HEADERS = {"ce_id": b"e1", "ce_type": b"dev.switchhook.inbound.message", "swh-registry-offset": b"7"}


def record(value: Any = None, *, key: bytes | None = b"b/c/1", headers: Any = HEADERS) -> Record:
    raw = value if isinstance(value, bytes) else orjson.dumps(value or BODY)
    return Record("inbound", 0, 5, 1_700_000_000_000, key, raw, tuple(headers.items()))


def test_a_record_becomes_its_model() -> None:
    arrived = decode(record())
    assert (arrived.event_id, arrived.key, arrived.body.text) == ("e1", "b/c/1", "hi")
    assert arrived.stamp == Stamp(7)
    assert not arrived.person_keyed


def test_what_no_column_holds_is_left_out_of_every_text_of_a_body() -> None:
    profile = {"external_id": "a\0b", "phone": "\0+1"}
    arrived = decode(record({**BODY, "message_id": "m\0", "text": "\\u0000 \0", "profile": profile}))
    assert (arrived.body.message_id, arrived.body.text) == ("m", "\\u0000 ")
    assert (arrived.body.profile.external_id, arrived.body.profile.phone) == ("ab", "+1")


def test_a_record_about_a_person_by_name_is_told_apart() -> None:
    body = {**BODY, "kind": "signal", "name": "paid", "channel_id": "-", "peer_id": "-", "person": {"email": "a@b.c"}}
    headers = {**HEADERS, "ce_type": b"dev.switchhook.inbound.signal"}
    assert decode(record(body, key=b"b/-/email:a@b.c", headers=headers)).person_keyed


def test_a_url_for_nobody_runs_where_it_is() -> None:
    body = {**BODY, "kind": "url", "link_id": "l", "command": "/x", "channel_id": "-", "peer_id": "l"}
    headers = {**HEADERS, "ce_type": b"dev.switchhook.inbound.url"}
    assert not decode(record(body, key=b"b/-/l", headers=headers)).person_keyed


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (record(b"not json"), "not-json"),
        (record(b""), "not-json"),
        (record({**BODY, "message_id": None}), "wrong-schema"),
        (record({**BODY, "kind": "start"}), "wrong-schema"),
        (record(key=b"b/c/2"), "wrong-schema"),
        (record(key=b"\xff"), "wrong-schema"),
        (record({**BODY, "peer_id": "1\0"}, key=b"b/c/1\0"), "wrong-schema"),
        (record(headers={**HEADERS, "ce_id": b"e\0"}), "bad-header"),
        (record(key=None), "wrong-schema"),
        (record({**BODY, "text": "x" * LARGEST_RECORD}), "too-large"),
        (record(headers={**HEADERS, "ce_type": b"dev.switchhook.inbound.nothing"}), "unknown-type"),
        (record(headers={**HEADERS, "ce_id": None}), "bad-header"),
        (record(headers={**HEADERS, "other": b"\xff"}), "bad-header"),
        (record(headers={"ce_type": HEADERS["ce_type"]}), "bad-header"),
        (record(headers={**HEADERS, "swh-registry-offset": b"x"}), "bad-header"),
    ],
)
def test_what_cannot_be_decoded_has_a_reason(bad: Record, code: str) -> None:
    with pytest.raises(Undecodable) as refused:
        decode(bad)
    assert refused.value.code == code
