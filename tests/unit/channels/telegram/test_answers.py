"""Telegram: what its answers mean."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from channels.descriptor import Found
from channels.reading import Reading
from channels.telegram import CONNECTOR
from channels.telegram.answers import read


def answered(status: int, description: str, **parameters: Any) -> Reading:
    answer = {"ok": False, "error_code": status, "description": description}
    return read(status, orjson.dumps(answer | ({"parameters": parameters} if parameters else {})))


def test_an_accepted_message_has_its_number() -> None:
    reading = read(200, b'{"ok": true, "result": {"message_id": 17, "date": 1}}')
    assert (reading.meaning, reading.provider_message_id, reading.healthy) == ("sent", "17", True)
    assert read(200, b'{"ok": true, "result": true}').provider_message_id is None


@pytest.mark.parametrize(
    ("status", "description", "meaning", "code", "unreachable", "healthy"),
    [
        (403, "Forbidden: bot was blocked by the user", "unreachable", "blocked", "blocked", True),
        (403, "Forbidden: user is deactivated", "unreachable", "user-deactivated", "unreachable", True),
        (403, "Forbidden: bot can't initiate conversation with a user", "unreachable", "never-started", "unreachable", True),
        (403, "Forbidden: bot was kicked from the supergroup chat", "unreachable", "not-in-chat", "not_in_chat", True),
        (403, "Forbidden: bot is not a member of the channel chat", "unreachable", "not-in-chat", "not_in_chat", True),
        (403, "Forbidden: something new", "unreachable", "forbidden", "unreachable", True),
        (400, "Bad Request: chat not found", "unreachable", "chat-not-found", "unreachable", True),
        (400, "Bad Request: not enough rights to send text messages", "unreachable", "messages-not-allowed", "not_in_chat", True),
        (400, "Bad Request: BUTTON_DATA_INVALID", "refused", "refused", None, True),
        (401, "Unauthorized", "credentials", "unauthorized", None, False),
        (404, "Not Found", "credentials", "unauthorized", None, False),
        (409, "Conflict: terminated by other getUpdates request", "failed", "conflict", None, True),
        (413, "Request Entity Too Large", "refused", "too-large", None, True),
        (429, "Too Many Requests: retry after 7", "limited", "rate-limited", None, True),
        (500, "Internal Server Error", "failed", "unavailable", None, False),
        (502, "Bad Gateway", "failed", "unavailable", None, False),
    ],
)  # fmt: skip
def test_a_refusal_is_told_apart(
    status: int, description: str, meaning: str, code: str, unreachable: str | None, healthy: bool
) -> None:
    reading = answered(status, description)
    assert (reading.meaning, reading.code, reading.unreachable) == (meaning, code, unreachable)
    assert reading.healthy is healthy
    assert reading.detail == description


@pytest.mark.parametrize(("asked", "seconds"), [({"retry_after": 42}, 42), ({}, 1), ({"retry_after": "soon"}, 1)])
def test_a_flood_is_waited_for_as_long_as_asked_and_whose_it_is_is_not_said(
    asked: dict[str, Any], seconds: float
) -> None:
    reading = answered(429, "Too Many Requests: retry after 42", **asked)
    assert (reading.retry_after, reading.scope) == (seconds, "unsaid")


@pytest.mark.parametrize("id", ["[" * 900 + "]" * 900, '{"a": 1}', "true", '"a\\u0000"', "1.5", "9" * 40, "null"])
def test_an_id_that_is_none_is_left_out(id: str) -> None:
    assert read(200, f'{{"ok": true, "result": {{"message_id": {id}}}}}'.encode()).provider_message_id is None
    refused = f'{{"ok": false, "parameters": {{"migrate_to_chat_id": {id}}}, "description": {id}}}'
    reading = read(400, refused.encode())
    assert (reading.meaning, reading.moved_to) == ("refused", None)
    assert len(reading.detail or "") < 20


@pytest.mark.parametrize("body", [b"<html>Bad Gateway</html>", b"", b"[]", b"null"])
def test_an_answer_that_is_none_is_tried_again(body: bytes) -> None:
    assert read(502, body).meaning == "failed"
    assert read(200, body).meaning == "failed"


def test_a_group_that_became_a_supergroup_is_written_to_there() -> None:
    reading = answered(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-1004711)
    assert (reading.meaning, reading.moved_to, reading.healthy) == ("moved", "-1004711", True)


def test_the_bots_own_id_and_page_are_found() -> None:
    (me, _) = CONNECTOR.descriptor.checks
    named = {"ok": True, "result": {"id": 5, "username": "shop_bot"}}
    assert me.read(named, Found()) == Found(external_id="5", url="https://t.me/shop_bot")
    assert me.read({"ok": True, "result": {"id": 5}}, Found(url="https://t.me/old")) == Found(external_id="5")
    assert me.read({"ok": True, "result": True}, Found(external_id="5")) == Found(external_id="5")
