"""Telegram Bot API 10.2: requests and what its answers mean. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import orjson

from contracts.actions import AcknowledgeTap, Button, SendMessage
from dispatcher.errors import NoRequest
from dispatcher.requests import FINDING_SECONDS, HIDDEN, Reading, Request
from dispatcher.sending.channels.port import Account, Channel

API = "https://api.telegram.org"
TEXT_LIMIT = 4096
"""Characters of a message."""
CALLBACK_DATA_LIMIT = 64
"""Bytes."""
BUTTON_LIMIT = 64
"""Characters of a button's title that a phone shows."""
JSON = {"Content-Type": "application/json", "User-Agent": "Switchhook/1"}
METHOD = re.compile(r"[A-Za-z]{1,64}")


class Rule(NamedTuple):
    """How a refusal is met: `words` in its description, lower case; '' matches any."""

    status: int
    words: str
    code: str
    verdict: Literal["retry", "exhausted"]
    unreachable: Literal["blocked", "unreachable", "not_in_chat"] | None = None
    healthy: bool = True


RULES = (
    Rule(403, "bot was blocked by the user", "blocked", "exhausted", "blocked"),
    Rule(403, "user is deactivated", "user-deactivated", "exhausted", "unreachable"),
    Rule(403, "can't initiate conversation", "never-started", "exhausted", "unreachable"),
    Rule(403, "bot was kicked", "not-in-chat", "exhausted", "not_in_chat"),
    Rule(403, "bot is not a member", "not-in-chat", "exhausted", "not_in_chat"),
    Rule(403, "not enough rights", "messages-not-allowed", "exhausted", "not_in_chat"),
    Rule(403, "", "forbidden", "exhausted", "unreachable"),
    Rule(400, "chat not found", "chat-not-found", "exhausted", "unreachable"),
    Rule(400, "not enough rights", "messages-not-allowed", "exhausted", "not_in_chat"),
    Rule(400, "", "refused", "exhausted"),
    Rule(401, "", "unauthorized", "exhausted", healthy=False),
    Rule(404, "", "unauthorized", "exhausted", healthy=False),
    Rule(409, "", "conflict", "retry"),
    Rule(413, "", "too-large", "exhausted"),
    Rule(429, "", "rate-limited", "retry"),
)
"""The first that matches counts; what none matches (5xx) is retried and speaks against Telegram's health."""


def message(account: Account, action: SendMessage, first: bool) -> Request:
    """sendMessage; on the first attempt the tap it answers is acknowledged before it."""
    text = action.content.text
    if not 1 <= len(text) <= TEXT_LIMIT:
        raise NoRequest("exhausted", "text-length", f"A Telegram message has 1 to {TEXT_LIMIT} characters.")
    body: dict[str, Any] = {"chat_id": _chat_id(action.peer_id), "text": text}
    if markup := _markup(action):
        body["reply_markup"] = markup
    tap = _answer_tap(account, action.callback_id) if first and action.callback_id else None
    return _request(account, "sendMessage", body, tap)


def acknowledge(account: Account, action: AcknowledgeTap) -> Request:
    """answerCallbackQuery: ends the spinner on the button."""
    return _answer_tap(account, action.callback_id)


def method(account: Account, name: str, params: Mapping[str, Any]) -> Request:
    """Any method, for the registry's channel checks; setWebhook gets where we are and our secret from the credentials."""
    if not METHOD.fullmatch(name):
        raise NoRequest("exhausted", "bad-method", "A method's name is letters only.")
    own = {"url": account.credentials.get("inbound_url"), "secret_token": account.credentials.get("secret_token")}
    return _request(account, name, {**params, **own} if name == "setWebhook" else params, shown=params)


def read(status: int, body: bytes) -> Reading:
    """What Telegram's answer means."""
    answer = _object(body)
    if status == 200 and answer.get("ok") is True:
        result = answer.get("result")
        sent_id = result.get("message_id") if isinstance(result, dict) else None
        return Reading("succeeded", answer=answer, provider_message_id=None if sent_id is None else str(sent_id))
    description = str(answer.get("description") or f"HTTP {status}")[:512]
    given = answer.get("parameters")
    parameters: dict[str, Any] = given if isinstance(given, dict) else {}
    if moved := parameters.get("migrate_to_chat_id"):
        extra = {"chat_id": str(moved)}
        return Reading("retry", "chat-moved", description, answer=answer, resend=True, extra=extra)
    return _refusal(status, description, parameters, answer)


def moved(action: SendMessage, reading: Reading) -> SendMessage:
    """The action for the chat that the group became."""
    return action.model_copy(update={"peer_id": reading.extra["chat_id"]})


def _refusal(status: int, description: str, parameters: Mapping[str, Any], answer: Any) -> Reading:
    lower = description.lower()
    rule = next((rule for rule in RULES if rule.status == status and rule.words in lower), None)
    if rule is None:
        return Reading("retry", "unavailable", description, healthy=False, answer=answer)
    reading = Reading(rule.verdict, rule.code, description, healthy=rule.healthy, answer=answer)
    reading.unreachable = rule.unreachable
    if status == 429:
        reading.retry_after = float(parameters.get("retry_after") or 1)
        reading.pause, reading.pause_reason = reading.retry_after, "rate-limited"
    elif rule.code == "unauthorized":
        reading.pause, reading.pause_reason = FINDING_SECONDS, "unauthorized"
    return reading


def _answer_tap(account: Account, callback_id: str) -> Request:
    return _request(account, "answerCallbackQuery", {"callback_query_id": callback_id})


def _request(
    account: Account,
    name: str,
    params: Mapping[str, Any],
    before: Request | None = None,
    shown: Mapping[str, Any] | None = None,
) -> Request:
    token = str(account.credentials.get("token") or "")
    if not re.fullmatch(r"[0-9]{1,20}:[A-Za-z0-9_-]{1,128}", token):
        raise NoRequest("exhausted", "no-token", "The channel has no usable bot token.")
    base = (account.entity.api_base_url or API).rstrip("/")
    secrets = tuple(str(value) for value in account.credentials.values() if isinstance(value, str) and value)
    body = orjson.dumps(params)
    return Request(
        method="POST",
        url=f"{base}/bot{token}/{name}",
        headers=JSON,
        body=body,
        timeout=account.timeout,
        shown_url=f"{base}/bot{HIDDEN}/{name}",
        shown_headers=JSON,
        shown_body=body if shown is None else orjson.dumps(shown),
        secrets=secrets,
        before=before,
    )


def _markup(action: SendMessage) -> dict[str, Any] | None:
    content = action.content
    if content.buttons:
        return {"inline_keyboard": [[_inline(button)] for button in content.buttons]}
    if content.quick_replies:
        rows = [[{"text": button.title[:BUTTON_LIMIT]}] for button in content.quick_replies]
        return {"keyboard": rows, "resize_keyboard": True, "one_time_keyboard": True}
    return None


def _inline(button: Button) -> dict[str, str]:
    if button.url:
        return {"text": button.title, "url": button.url}
    data = button.payload or button.title
    if len(data.encode()) > CALLBACK_DATA_LIMIT:
        raise NoRequest("exhausted", "payload-length", f"A button's payload has at most {CALLBACK_DATA_LIMIT} bytes.")
    return {"text": button.title, "callback_data": data}


def _chat_id(peer_id: str) -> int | str:
    return int(peer_id) if re.fullmatch(r"-?[0-9]{1,20}", peer_id) else peer_id


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


CHANNEL = Channel(
    message=message, acknowledge=acknowledge, method=method, read=read, moved=moved, in_flight=30, rate=30.0
)  # fmt: skip
