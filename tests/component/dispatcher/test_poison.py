"""What cannot be read goes to the dead-letter topic with its reason, and its partition goes on."""

from __future__ import annotations

import orjson
import pytest
from bench.chaos.bad_records import produce_raw

from contracts.cloudevents import headers as ce_headers
from contracts.cloudevents import now_text
from support.dispatcher import PROJECT, RunningDispatcher, endpoint
from support.receiver import Receiver
from support.waiting import eventually

ACTION = dict(ce_headers(id="a", type="action.post_webhook", source="test", time=now_text(), project=PROJECT))
EVENT = dict(ce_headers(id="e", type="tag.added", source="test", time=now_text(), project=PROJECT))


@pytest.mark.parametrize(
    ("topic", "value", "headers", "code"),
    [
        ("actions", b"not json", ACTION, "not-json"),
        ("actions", b"{}", ACTION, "wrong-schema"),
        ("actions", b"{}", ACTION | {"ce_type": b"dev.switchhook.action.dance"}, "unknown-type"),
        ("actions", b"{}", ACTION | {"ce_id": None}, "bad-header"),
        ("actions", b"{}", ACTION | {"traceparent": b"\xff"}, "bad-header"),
        ("actions", b'{"a": "' + b"x" * 2_000_000 + b'"}', ACTION, "too-large"),
        ("actions", None, ACTION, "not-json"),
        ("events", b"[1", EVENT, "not-json"),
        ("events", b"{}", EVENT, "wrong-schema"),
        ("events", b"{}", EVENT | {"ce_type": b"dev.switchhook.no.such"}, "unknown-type"),
        ("events", b'{"type":"tag.added","timestamp":"yesterday","data":{}}', EVENT, "wrong-schema"),
        ("events", b"{}", {}, "bad-header"),
    ],
)
async def test_poison_is_parked_with_its_reason_and_the_next_record_is_delivered(
    dispatcher: RunningDispatcher,
    sink: Receiver,
    topic: str,
    value: bytes | None,
    headers: dict[str, bytes | None],
    code: str,
) -> None:
    await dispatcher.registry.put(endpoint("e1", f"{sink.url}/event", "tag.added"))
    await dispatcher.start()
    await produce_raw(dispatcher.cluster.servers, dispatcher.topic(topic), [(b"k", value, list(headers.items()))])
    [parked] = await eventually(lambda: dispatcher.out("dlq"))
    assert dict(parked.headers)["dlq-error-code"] == code.encode()
    assert parked.value == value
    if topic == "actions":
        await dispatcher.post(f"{sink.url}/event")
    else:
        await dispatcher.event("tag.added")
    await eventually(lambda: sink.requests_to("/event"))


async def test_an_action_of_another_conversation_than_its_key_is_parked(
    dispatcher: RunningDispatcher, sink: Receiver
) -> None:
    await dispatcher.start()
    body = orjson.dumps({
        "kind": "post_webhook", "id": "0198f0c2-6f5e-7a51-8a2e-0d8f8c9b7001", "project_id": PROJECT, "bot_id": "b",
        "conversation": "b/c/p", "day": now_text()[:10], "created_at": now_text(), "url": sink.url, "title": "t",
        "timestamp": now_text(), "data": {},
    })  # fmt: skip
    await dispatcher.raw("actions", body, "b/c/another", list(ACTION.items()))
    [parked] = await eventually(lambda: dispatcher.out("dlq"))
    assert dict(parked.headers)["dlq-error-code"] == b"wrong-schema"
    assert sink.requests == []
