"""What Telegram is told. The token is in the URL, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from channels.port import Account
from channels.sending import HIDDEN, Plan, Request, Step, single
from channels.telegram.facts import API, BUTTON_TITLE, TOKEN
from contracts.actions import Button, MessageContent, SendMessage

JSON = {"Content-Type": "application/json", "User-Agent": "Switchhook/1"}
METHOD = re.compile(r"[A-Za-z]{1,64}")
MEDIA = {
    "image": ("sendPhoto", "photo"),
    "video": ("sendVideo", "video"),
    "audio": ("sendAudio", "audio"),
    "file": ("sendDocument", "document"),
}
_TOKEN = re.compile(TOKEN)
_CHAT = re.compile(r"-?[0-9]{1,20}")
_THREAD = re.compile(r"[0-9]{1,20}")


def has_token(account: Account) -> bool:
    """Whether there is a token that makes the URL that it should."""
    return _TOKEN.fullmatch(account.credentials.get("token") or "") is not None


def message(account: Account, action: SendMessage, *, first: bool) -> Plan:
    """sendMessage, or the method for what the message has beside its text."""
    name, shown = _shown(action.content)
    body: dict[str, Any] = {"chat_id": _chat_id(action.peer_id), **shown}
    if action.thread is not None and _THREAD.fullmatch(action.thread):
        body["message_thread_id"] = int(action.thread)
    if markup := _markup(action.content):
        body["reply_markup"] = markup
    request = _request(account, name, body, body)
    if not first or not action.callback_id:
        return single(name, request)
    (tap,) = acknowledgement(account, action.callback_id).steps
    return single(name, request, tap._replace(role="courtesy"))


def _shown(content: MessageContent) -> tuple[str, dict[str, Any]]:
    """(method, what it shows). Telegram fetches a file from its URL."""
    if (media := content.media) is not None:
        name, field = MEDIA[media.type]
        return name, {field: media.url} | ({"caption": content.text} if content.text else {})
    if (place := content.location) is not None:
        point = {"latitude": place.latitude, "longitude": place.longitude}
        if place.name or place.address:  # A venue has both.
            return "sendVenue", point | {"title": place.name or place.address, "address": place.address or place.name}
        return "sendLocation", point
    return "sendMessage", {"text": content.text}


def acknowledgement(account: Account, callback_id: str) -> Plan:
    """answerCallbackQuery."""
    params = {"callback_query_id": callback_id}
    request = _request(account, "answerCallbackQuery", params, params)
    return Plan((Step("answerCallbackQuery", lambda _: request),))


def method(account: Account, name: str, params: Mapping[str, Any]) -> Plan:
    """Any other method."""
    own = {"url": account.credentials.get("inbound_url"), "secret_token": account.credentials.get("secret_token")}
    return single(name, _request(account, name, {**params, **own} if name == "setWebhook" else params, params))


def _request(account: Account, name: str, params: Mapping[str, Any], shown: Mapping[str, Any]) -> Request:
    base = (account.channel.api_base_url or API).rstrip("/")
    body = orjson.dumps(params)
    return Request(
        "POST",
        f"{base}/bot{account.credentials['token']}/{name}",
        JSON,
        body,
        f"{base}/bot{HIDDEN}/{name}",
        JSON,
        body if shown is params else orjson.dumps(shown),
        tuple(filter(None, account.credentials.values())),
    )


def _markup(content: MessageContent) -> dict[str, Any] | None:
    """Buttons under the message; quick replies as a reply keyboard, which a message has only without buttons.

    Beside buttons, or with a title that a reply keyboard would cut, and so send back cut, they are buttons too. What shares a contact or a
    place can be in a reply keyboard only.
    """
    replies = content.quick_replies
    too_long = any(len(reply.title) > BUTTON_TITLE for reply in replies)
    if content.buttons or (too_long and not any(reply.shares for reply in replies)):
        return {"inline_keyboard": [[_inline(button)] for button in (*content.buttons, *replies)]}
    if replies:
        return {"keyboard": [[_key(reply)] for reply in replies], "resize_keyboard": True, "one_time_keyboard": True}
    return {"remove_keyboard": True} if content.hides_replies else None


def _key(reply: Button) -> dict[str, Any]:
    return {"text": reply.title} | ({f"request_{reply.shares}": True} if reply.shares else {})


def _inline(button: Button) -> dict[str, str]:
    if button.url:
        return {"text": button.title, "url": button.url}
    return {"text": button.title, "callback_data": button.payload or _first_bytes(button.title)}


def _first_bytes(title: str) -> str:
    """A tap on it brings the whole title back beside this."""
    return title.encode()[:64].decode(errors="ignore")


def _chat_id(peer_id: str) -> int | str:
    return int(peer_id) if _CHAT.fullmatch(peer_id) else peer_id
