"""Bodies of outgoing webhooks, from an event's `{type, timestamp, data}`. Pure.

`switchhook` is the event as it is (Standard Webhooks). `sendpulse` and `sendpulse_legacy` are what receivers that were
written for SendPulse understand: an array of one object, or the object itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from channels.descriptor import SendPulse
from contracts.actions import WebhookFormat

TITLES = {
    "bot.subscribed": "new_subscriber",
    "message.received": "incoming_message",
    "message.sent": "outgoing_message",
    "live_chat.opened": "open_chat",
    "flow.launched": "run_custom_flow",
    "redirect.followed": "link_click",
    "bot.unsubscribed": "unsubscribe",
    "bot.blocked": "bot_block",
}
"""Event type -> SendPulse's title; any other event goes under its own type."""
STARTS = frozenset({"webhook", "keyword", "command", "api"})
"""Of the ways into a flow those that SendPulse calls run_custom_flow."""
CONTACT_IF_KNOWN = ("email", "phone", "birthday", "city", "country")
CONTACT_KEYS = frozenset({"id", "name", "username", "photo", "tags", "variables", "last_message", *CONTACT_IF_KNOWN})
"""Never hidden by a variable of the same name."""

NUMBERS = frozenset({"from", "timestamp", "date", "message_id", "update_id"})
"""Keys of a channel's message whose digits are a number, however the platform writes them."""

RenderTemplate = Callable[[str, Mapping[str, Any]], str]


class ShownBot(NamedTuple):
    """The bot as a SendPulse payload shows it, from the registry; `words` are its channel's in that format."""

    bot_id: str
    name: str | None = None
    photo: str | None = None
    channel_type: str = "http"
    external_id: str | None = None
    url: str | None = None
    words: SendPulse = SendPulse()


class Subject(NamedTuple):
    """One event, or one step's webhook (`step`: `title` is the step's own)."""

    type: str
    timestamp: str
    data: Mapping[str, Any]
    title: str | None = None
    step: bool = False


def body(
    format: WebhookFormat, subject: Subject, shown_bot: ShownBot, template: str | None, render: RenderTemplate
) -> bytes:
    """The request's body. `render(template, event)` is Liquid; its errors pass through."""
    if format == "switchhook":
        return switchhook(subject)
    if format == "template":
        event = {"type": subject.type, "timestamp": subject.timestamp, "title": title_of(subject), "data": subject.data}
        return render(template or "", event).encode()
    one = sendpulse(subject, shown_bot)
    return orjson.dumps([one] if format == "sendpulse" else one)


def switchhook(subject: Subject) -> bytes:
    """The event as it is."""
    return orjson.dumps({"type": subject.type, "timestamp": subject.timestamp, "data": subject.data})


def title_of(subject: Subject, title_map: Mapping[str, str] | None = None) -> str:
    """The step's own title, or the event's by the endpoint's map, SendPulse's words, its type."""
    if subject.title is not None:
        return subject.title
    if chosen := (title_map or {}).get(subject.type):
        return chosen
    trigger = subject.data.get("trigger")
    if subject.type == "flow.launched" and trigger and trigger.get("type") not in STARTS:
        return subject.type
    return TITLES.get(subject.type, subject.type)


def sendpulse(subject: Subject, shown_bot: ShownBot) -> dict[str, Any]:
    """The object that SendPulse's receivers get for one event."""
    return {
        "info": None if subject.step else _info(subject, shown_bot),
        "service": shown_bot.words.service or shown_bot.channel_type,
        "title": title_of(subject),
        "bot": _bot(shown_bot),
        "contact": _contact(subject),
        "date": int(datetime.fromisoformat(subject.timestamp).timestamp()),
    }


def _bot(shown_bot: ShownBot) -> dict[str, Any]:
    number = shown_bot.words.numeric_id and shown_bot.external_id is not None and shown_bot.external_id.isdigit()
    bot: dict[str, Any] = {
        "url": shown_bot.url,
        "external_id": int(shown_bot.external_id or 0) if number else shown_bot.external_id or shown_bot.bot_id,
        "id": shown_bot.bot_id,
        "name": shown_bot.name,
    }
    if shown_bot.photo:
        bot["photo"] = shown_bot.photo
    return bot


def _contact(subject: Subject) -> dict[str, Any]:
    known: Mapping[str, Any] = subject.data.get("contact") or {}
    variables = known.get("variables") or {}
    contact = {
        "id": known.get("id"),
        "name": known.get("name"),
        "username": known.get("username"),
        "photo": known.get("photo"),
        "tags": list(known.get("tags") or ()),
        "variables": variables,
        "last_message": known.get("last_message"),
    }
    contact |= {name: known[name] for name in CONTACT_IF_KNOWN if known.get(name) is not None}
    if subject.step:
        contact |= {name: value for name, value in variables.items() if name not in CONTACT_KEYS}
    return contact


def _info(subject: Subject, shown_bot: ShownBot) -> dict[str, Any] | None:
    data = subject.data
    if subject.type == "message.received" and (message := data.get("message")):
        own = message.get("id") if "message_id" in message else data.get("event_id") or message.get("id")
        return {"message": _message(message, own, shown_bot.words)}
    if subject.type == "redirect.followed" and (link := data.get("link") or data):
        return {"link": {"url": link.get("url"), "node": link.get("node", data.get("node"))}}
    if subject.type == "flow.launched" and (flow := data.get("flow")):
        return {"flow": {"id": flow.get("id"), "name": flow.get("name") or flow.get("slug")}}
    return None


def _message(message: Mapping[str, Any], own: Any, words: SendPulse) -> dict[str, Any]:
    """`own`: our id of it; the platform's stands in channel_data."""
    provider = message.get("provider") or {"text": message.get("text")}
    kinds = dict.fromkeys(words.message_kinds)
    shown = {**kinds, **{name: _number(name, value) for name, value in provider.items()}}
    provider_id = message.get("message_id") or message.get("id")
    return {"id": own, "channel_data": {"message_id": provider_id, "message": shown}}


def _number(name: str, value: Any) -> Any:
    return int(value) if name in NUMBERS and isinstance(value, str) and value.isascii() and value.isdigit() else value
