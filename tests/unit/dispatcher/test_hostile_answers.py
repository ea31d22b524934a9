"""Whatever comes back is recorded, once: arbitrary statuses, header bytes and body bytes, through the client's own parser."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any
from uuid import uuid4

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contracts.actions import (
    AcknowledgeTap,
    ActionBase,
    AskModel,
    CallApi,
    ChannelCall,
    MessageContent,
    PostWebhook,
    SendMessage,
)
from contracts.cloudevents import now_text
from contracts.inbound import TOPIC as INBOUND
from contracts.inbound import InboundAdapter, ReplyTo
from contracts.replies import TOPIC as REPLIES
from contracts.replies import ReplyAdapter
from dispatcher.results.conclusions import UNRECORDABLE
from dispatcher.sending.attempt_log import KEPT_HEADERS, shown_answer
from servicekit.http_client.guarded_http import Answer, Unreachable
from servicekit.http_client.http1 import Connection, Response
from support.deliveries import API_CALL, CHANNEL, CONVERSATION, KEYS, PROJECT, Registry, api_call, channel, project
from support.deliveries import model as model_entity
from support.deliveries_in_memory import Row
from support.dispatcher_in_memory import DispatcherInMemory, PlayedHttp, dispatcher_in_memory
from support.waiting import eventually

TOKEN = "104117782:AAF0secretsecretsecretsecretsecret0"
LIMIT = 64 * 1024
REPLY = ReplyTo(instance="a", partition=0, request_id="r")
KINDS: dict[str, tuple[type[ActionBase], dict[str, Any]]] = {
    "call": (CallApi, {"api_call_id": API_CALL, "wait": "w", "channel_id": CHANNEL, "peer_id": "4711"}),
    "test call": (
        CallApi,
        {"api_call_id": API_CALL, "wait": "w", "channel_id": CHANNEL, "peer_id": "4711", "reply_to": REPLY},
    ),
    "model": (
        AskModel,
        {
            "api_call_id": "model-1", "wait": "w", "channel_id": CHANNEL, "peer_id": "4711", "seconds": 60,
            "messages": ({"role": "user", "text": "?"},),
        },
    ),
    "webhook": (PostWebhook, {"url": "https://e.com/x", "title": "t", "timestamp": now_text(), "data": {}}),
    "channel call": (ChannelCall, {"channel_id": CHANNEL, "method": "getMe", "reply_to": REPLY}),
    "tap": (AcknowledgeTap, {"channel_id": CHANNEL, "channel_type": "telegram", "callback_id": "1"}),
    "message": (
        SendMessage,
        {
            "channel_id": CHANNEL, "channel_type": "telegram", "peer_id": "4711", "seq": 1,
            "content": MessageContent(text="x"), "expires_at": "2999-01-01T00:00:00Z",
        },
    ),
}  # fmt: skip


class Wire:
    """A transport to nowhere."""

    def write(self, data: bytes) -> None: ...

    def abort(self) -> None: ...

    def is_closing(self) -> bool:
        return False


def read(raw: bytes) -> Answer:
    """What the client makes of these bytes. Raises Unreachable."""
    connection = Connection(lambda _: None)
    connection.connection_made(Wire())  # type: ignore[arg-type]  # all that is asked of one
    waiting = connection.send(b"", LIMIT, time.monotonic() + 60)
    connection.data_received(raw)
    connection.connection_lost(None)
    outcome = waiting.result()
    if not isinstance(outcome, Response):
        raise Unreachable("no answer", outcome, sent=True)
    return Answer(outcome.status, outcome.headers, outcome.body, 1, outcome.truncated)


def raw_answer(status: int, headers: list[tuple[str, bytes]], body: bytes) -> bytes:
    lines = [b"HTTP/1.1 %03d X" % status, *(name.encode() + b": " + value for name, value in headers)]
    return b"\r\n".join([*lines, b"content-length: %d" % len(body), b"", body])


async def outcome_of(kind: str, raw: bytes) -> tuple[DispatcherInMemory, Row, int]:
    """The dispatcher, the delivery's row once something came of it, and how many requests were made."""
    model, fields = KINDS[kind]
    now = now_text()
    base = {"id": str(uuid4()), "project_id": PROJECT, "bot_id": "bot-1", "day": now[:10], "created_at": now}
    action = model(**base, conversation=CONVERSATION, **fields)
    http = PlayedHttp(lambda url, body: read(raw))
    llm = model_entity().model_copy(update={"id": "model-1"})
    entities = project(), channel(credentials={"token": TOKEN, "secret_token": "s"}), api_call(), llm
    async with dispatcher_in_memory(http, Registry(*entities), keys=KEYS) as dispatcher:
        await dispatcher.act(action)
        [row] = dispatcher.store.tables.rows.values()
        await eventually(lambda: _settled(dispatcher), every=0.001)
        [row] = dispatcher.store.tables.rows.values()
        return dispatcher, row, len(http.requests)


def _settled(dispatcher: DispatcherInMemory) -> bool:
    [row] = dispatcher.store.tables.rows.values()
    return row.state != "in_flight" and (not dispatcher.store.tables.outbox or bool(dispatcher.published.records))


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6) | st.sampled_from(["\x00", "\ud7ff", "-1", "9" * 30]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
TELEGRAM = st.fixed_dictionaries(
    {},
    optional={
        "ok": st.booleans() | JSON,
        "result": st.fixed_dictionaries({"message_id": JSON}) | JSON,
        "description": JSON,
        "parameters": st.fixed_dictionaries({}, optional={"retry_after": JSON, "migrate_to_chat_id": JSON}) | JSON,
    },
)
BODIES = st.one_of(
    st.binary(max_size=64),
    st.builds(lambda value: _dumped(value), JSON | TELEGRAM),
    st.builds(nested, st.sampled_from([1, 63, 64, 65, 250, 256, 1000, 1024, 30_000])),
    st.builds(
        lambda inner: b'{"ok": true, "result": {"message_id": %b}}' % inner, st.builds(nested, st.integers(1, 1020))
    ),
)
VALUES = st.binary(max_size=40).map(lambda value: value.translate(None, b"\r\n\x00"))
HEADERS = st.lists(
    st.tuples(st.sampled_from([each for each in KEPT_HEADERS if each != "content-length"]) | st.just("x-y"), VALUES),
    max_size=5,
)


def _dumped(value: Any) -> bytes:
    """Not orjson's: whole numbers of any size."""
    return json.dumps(value).encode()


@pytest.mark.parametrize("kind", KINDS)
@given(
    status=st.integers(100, 999) | st.sampled_from([200, 400, 401, 403, 410, 429, 500, 503]),
    headers=HEADERS,
    body=BODIES,
)
@example(status=200, headers=[("server", "Café".encode("latin-1"))], body=b"{}")
@example(status=429, headers=[("retry-after", b"9" * 400)], body=b'{"ok": false, "parameters": {"retry_after": 1e300}}')
@example(status=200, headers=[], body=nested(300))
def test_recording_never_fails_on_what_the_other_side_sent(
    kind: str, status: int, headers: list[tuple[str, bytes]], body: bytes
) -> None:
    async def play() -> None:
        dispatcher, row, requests = await outcome_of(kind, raw_answer(status, headers, body))
        assert row.state != "in_flight"
        if "call" in kind:
            assert requests == 1
        assert [note.code for note in row.notes if note.code in (UNRECORDABLE, "internal")] == []
        for record in dispatcher.published.records:
            adapter = {INBOUND.name: InboundAdapter, REPLIES.name: ReplyAdapter}.get(record.topic)
            assert orjson.loads(record.value or b"") if adapter is None else adapter.validate_json(record.value or b"")

    asyncio.run(play())


async def test_a_header_that_is_latin_1_is_shown_and_a_post_that_succeeded_is_not_repeated() -> None:
    raw = raw_answer(200, [("server", "Café".encode("latin-1"))], b'{"seats": 3}')
    _, row, requests = await outcome_of("call", raw)
    assert (row.state, requests) == ("succeeded", 1)
    [note] = row.notes
    assert shown_answer(note.response or b"")["headers"]["server"] == "Café"


async def test_an_answer_that_is_nested_too_deep_to_be_passed_on_ends_the_call_with_its_reason() -> None:
    dispatcher, row, requests = await outcome_of("call", raw_answer(200, [], nested(300)))
    assert (row.state, requests) == ("exhausted", 1)
    [told] = [orjson.loads(record.value or b"") for record in dispatcher.published.records]
    assert (told["outcome"], told["error"]["type"]) == ("error", "json-too-deep")
