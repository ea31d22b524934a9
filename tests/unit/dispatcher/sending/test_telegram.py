"""Telegram: what is sent, and what its answers mean."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from contracts.actions import AcknowledgeTap, Button
from dispatcher.errors import NoRequest
from dispatcher.requests import FINDING_SECONDS, HIDDEN, Reading
from dispatcher.sending.channels import telegram
from dispatcher.sending.channels.port import Account
from support.deliveries import AT, CHANNEL, CONVERSATION, DAY, channel, say

TOKEN = "104117782:AAF-secret_part"
CREDENTIALS = {
    "token": TOKEN,
    "secret_token": "s3cret-t0ken",
    "inbound_url": "https://bots.example.com/v1/in/telegram/x",
}
ACCOUNT = Account(channel(), CREDENTIALS, 15.0)
TAP = AcknowledgeTap(
    id="tap-1", project_id="p", bot_id="b", conversation=CONVERSATION, day=DAY.isoformat(), created_at=AT,
    channel_id=CHANNEL, channel_type="telegram", callback_id="cb-1",
)  # fmt: skip


def sent(action: Any, *, first: bool = True) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(telegram.message(ACCOUNT, action, first).body or b"")
    return body


def answered(status: int, description: str, **parameters: Any) -> Reading:
    answer = {"ok": False, "error_code": status, "description": description}
    return telegram.read(status, orjson.dumps(answer | ({"parameters": parameters} if parameters else {})))


def test_a_text_goes_to_the_person() -> None:
    request = telegram.message(ACCOUNT, say("Hello"), True)
    assert (request.method, request.url) == ("POST", f"https://api.telegram.org/bot{TOKEN}/sendMessage")
    assert sent(say("Hello")) == {"chat_id": 4711, "text": "Hello"}
    assert sent(say("Hello", peer_id="-100123"))["chat_id"] == -100123
    assert sent(say("Hello", peer_id="@news"))["chat_id"] == "@news"


def test_a_server_of_ones_own_is_asked_instead() -> None:
    account = Account(channel(api_base_url="http://127.0.0.1:8081/"), CREDENTIALS, 15.0)
    assert telegram.message(account, say("Hello"), True).url == f"http://127.0.0.1:8081/bot{TOKEN}/sendMessage"


def test_the_token_is_in_nothing_that_is_stored() -> None:
    request = telegram.message(ACCOUNT, say("Hello", callback_id="cb-1"), True)
    assert request.before is not None
    for each in (request, request.before):
        assert TOKEN not in f"{each.shown_url}{each.shown_headers}{each.shown_body!r}"
        assert HIDDEN in each.shown_url
        assert set(CREDENTIALS.values()) <= set(each.secrets)


def test_buttons_stay_and_quick_replies_vanish() -> None:
    buttons = (
        Button(title="Lecture 3", payload="l:3"),
        Button(title="Site", url="https://example.com"),
        Button(title="No"),
    )
    assert sent(say("Which?", buttons=buttons))["reply_markup"] == {
        "inline_keyboard": [
            [{"text": "Lecture 3", "callback_data": "l:3"}],
            [{"text": "Site", "url": "https://example.com"}],
            [{"text": "No", "callback_data": "No"}],
        ]
    }
    assert sent(say("Which?", quick_replies=(Button(title="3"), Button(title="4"))))["reply_markup"] == {
        "keyboard": [[{"text": "3"}], [{"text": "4"}]],
        "resize_keyboard": True,
        "one_time_keyboard": True,
    }


@pytest.mark.parametrize(
    ("payload", "fits"), [("x" * 64, True), ("x" * 65, False), ("ü" * 32, True), ("ü" * 33, False)]
)
def test_a_buttons_payload_has_64_bytes(payload: str, fits: bool) -> None:
    action = say("Which?", buttons=(Button(title="This", payload=payload),))
    if fits:
        assert sent(action)["reply_markup"]["inline_keyboard"][0][0]["callback_data"] == payload
    else:
        with pytest.raises(NoRequest, match="64 bytes") as refused:
            sent(action)
        assert (refused.value.outcome, refused.value.code) == ("exhausted", "payload-length")


@pytest.mark.parametrize("text", ["", "x" * 4097])
def test_a_text_that_telegram_refuses_is_not_sent(text: str) -> None:
    with pytest.raises(NoRequest) as refused:
        sent(say(text))
    assert refused.value.code == "text-length"


@pytest.mark.parametrize("token", ["", "no-colon", "1:a/../getMe", "1:a?b", "1:a\r\nHost: x"])
def test_a_token_that_would_change_the_url_is_no_token(token: str) -> None:
    with pytest.raises(NoRequest) as refused:
        telegram.message(Account(channel(), {"token": token}, 15.0), say("Hello"), True)
    assert refused.value.code == "no-token"


def test_the_tap_is_acknowledged_before_the_first_attempt_only() -> None:
    first = telegram.message(ACCOUNT, say("Hello", callback_id="cb-1"), True)
    assert first.before is not None
    assert first.before.url.endswith("/answerCallbackQuery")
    assert orjson.loads(first.before.body or b"") == {"callback_query_id": "cb-1"}
    assert telegram.message(ACCOUNT, say("Hello", callback_id="cb-1"), False).before is None
    assert telegram.message(ACCOUNT, say("Hello"), True).before is None
    assert telegram.acknowledge(ACCOUNT, TAP).body == first.before.body


def test_set_webhook_gets_what_is_secret_from_the_credentials_and_does_not_show_it() -> None:
    request = telegram.method(ACCOUNT, "setWebhook", {"allowed_updates": ["message"]})
    assert orjson.loads(request.body or b"") == {
        "allowed_updates": ["message"],
        "url": CREDENTIALS["inbound_url"],
        "secret_token": CREDENTIALS["secret_token"],
    }
    assert orjson.loads(request.shown_body or b"") == {"allowed_updates": ["message"]}
    assert orjson.loads(telegram.method(ACCOUNT, "getMe", {}).body or b"") == {}


@pytest.mark.parametrize("name", ["../x", "get_me", "", "getMe?x=1"])
def test_a_method_is_letters(name: str) -> None:
    with pytest.raises(NoRequest) as refused:
        telegram.method(ACCOUNT, name, {})
    assert refused.value.code == "bad-method"


def test_an_accepted_message_has_its_number() -> None:
    reading = telegram.read(200, b'{"ok": true, "result": {"message_id": 17, "date": 1}}')
    assert (reading.verdict, reading.provider_message_id, reading.healthy) == ("succeeded", "17", True)
    assert telegram.read(200, b'{"ok": true, "result": true}').provider_message_id is None


@pytest.mark.parametrize(
    ("status", "description", "verdict", "code", "unreachable", "healthy"),
    [
        (403, "Forbidden: bot was blocked by the user", "exhausted", "blocked", "blocked", True),
        (403, "Forbidden: user is deactivated", "exhausted", "user-deactivated", "unreachable", True),
        (403, "Forbidden: bot can't initiate conversation with a user", "exhausted", "never-started", "unreachable", True),
        (403, "Forbidden: bot was kicked from the supergroup chat", "exhausted", "not-in-chat", "not_in_chat", True),
        (403, "Forbidden: bot is not a member of the channel chat", "exhausted", "not-in-chat", "not_in_chat", True),
        (403, "Forbidden: something new", "exhausted", "forbidden", "unreachable", True),
        (400, "Bad Request: chat not found", "exhausted", "chat-not-found", "unreachable", True),
        (400, "Bad Request: not enough rights to send text messages", "exhausted", "messages-not-allowed", "not_in_chat", True),
        (400, "Bad Request: BUTTON_DATA_INVALID", "exhausted", "refused", None, True),
        (401, "Unauthorized", "exhausted", "unauthorized", None, False),
        (404, "Not Found", "exhausted", "unauthorized", None, False),
        (409, "Conflict: terminated by other getUpdates request", "retry", "conflict", None, True),
        (413, "Request Entity Too Large", "exhausted", "too-large", None, True),
        (429, "Too Many Requests: retry after 7", "retry", "rate-limited", None, True),
        (500, "Internal Server Error", "retry", "unavailable", None, False),
        (502, "Bad Gateway", "retry", "unavailable", None, False),
    ],
)  # fmt: skip
def test_a_refusal_is_told_apart(
    status: int, description: str, verdict: str, code: str, unreachable: str | None, healthy: bool
) -> None:
    reading = answered(status, description)
    assert (reading.verdict, reading.code, reading.unreachable) == (verdict, code, unreachable)
    assert reading.healthy is healthy
    assert reading.detail == description


def test_a_flood_pauses_the_whole_bot_for_as_long_as_asked() -> None:
    reading = answered(429, "Too Many Requests: retry after 42", retry_after=42)
    assert (reading.retry_after, reading.pause, reading.pause_reason) == (42, 42, "rate-limited")


def test_a_refused_token_rests_the_channel() -> None:
    reading = answered(401, "Unauthorized")
    assert (reading.pause, reading.pause_reason) == (FINDING_SECONDS, "unauthorized")


@pytest.mark.parametrize("body", [b"<html>Bad Gateway</html>", b"", b"[]", b"null"])
def test_an_answer_that_is_none_is_tried_again(body: bytes) -> None:
    assert telegram.read(502, body).verdict == "retry"
    assert telegram.read(200, body).verdict == "retry"


def test_a_group_that_became_a_supergroup_is_written_to_there() -> None:
    action = say("Hello", peer_id="-4711")
    reading = answered(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-1004711)
    assert (reading.verdict, reading.resend, reading.healthy) == ("retry", True, True)
    assert sent(telegram.moved(action, reading))["chat_id"] == -1004711
