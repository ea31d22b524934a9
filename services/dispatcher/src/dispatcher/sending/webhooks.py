"""Requests to subscribers' endpoints and to a step's inline URL, and what their answers mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import orjson

from channels.descriptor import SendPulse
from contracts.actions import PostWebhook, WebhookFormat
from contracts.registry import Bot, Channel, Endpoint
from dispatcher.errors import NoRequest
from dispatcher.model.catalogue import Catalogue
from dispatcher.model.delivery import Delivery
from dispatcher.requests import FINDING_SECONDS, Reading, Request, checked_headers, checked_url, merged, shown_headers
from dispatcher.sending import formats
from dispatcher.sending.formats import RenderTemplate, ShownBot, Subject
from dispatcher.sending.signature import signature

E = TypeVar("E", Bot, Channel)
INLINE_TIMEOUT = 15.0
JSON, TEXT = "application/json", "text/plain; charset=utf-8"
SUCCEEDED = Reading("succeeded")
UNSEEN = ShownBot("")
"""For formats that do not show the bot."""
STEP_TYPE = "webhook.sent"
"""The type under which a step's webhook goes out in the format `switchhook`; its title is in the data."""


def event_request(delivery: Delivery, catalogue: Catalogue, render: RenderTemplate, now: float) -> Request:
    """A subscription's request. `now` is unix seconds. Raises NoRequest when the endpoint is gone or switched off."""
    endpoint = catalogue.endpoint(delivery.target, delivery.project_id)
    if endpoint.state == "disabled":
        raise NoRequest("discarded", "endpoint-disabled", "The endpoint is disabled.")
    if endpoint.format == "switchhook":
        body, shown = delivery.payload, None
    else:
        body = shown = _event_body(delivery, endpoint, catalogue, render)
    values = catalogue.sent_values(endpoint)
    ours = _headers(delivery, catalogue.endpoint_keys(endpoint), body, now)
    if endpoint.format == "template":
        ours |= _template_type(endpoint, ours.pop("content-type"), body)
    headers = merged(checked_headers(values.headers), ours)
    visible = merged(shown_headers(endpoint.headers), {name: ours[name] for name in _OWN if name in ours})
    return Request(
        "POST", checked_url(values.url), headers, body, float(endpoint.timeout_seconds), endpoint.url, visible, shown,
        secrets=values.secrets,
    )  # fmt: skip


def step_request(delivery: Delivery, catalogue: Catalogue, render: RenderTemplate, now: float) -> Request:
    """A send_webhook step's request to its inline URL, signed with the project's secret."""
    action: PostWebhook = delivery.content()
    catalogue.require_bot(action.bot_id, delivery.project_id)
    body = _body(action.format, _subject(action), delivery.project_id, catalogue, None, render)
    shown = None if action.format == "switchhook" else body
    headers = _headers(delivery, catalogue.project_keys(delivery.project_id), body, now)
    return Request("POST", checked_url(action.url), headers, body, INLINE_TIMEOUT, action.url, headers, shown)


def step_body(action: PostWebhook) -> bytes:
    """The body of a step's request in the format `switchhook`: it follows from the action alone."""
    return formats.switchhook(_subject(action))


def _subject(action: PostWebhook) -> Subject:
    return Subject(STEP_TYPE, action.timestamp, {"title": action.title, **action.data}, action.title, step=True)


def read(status: int, headers: Mapping[str, str], now: float) -> Reading:
    """What a subscriber's answer means: 2xx and nothing else is success, 410 ends the endpoint, 3xx is not followed."""
    if 200 <= status < 300:
        return SUCCEEDED
    if status == 410:
        gone = "The receiver answered 410 Gone."
        return Reading("exhausted", "gone", gone, destination_failed=True, pause=FINDING_SECONDS, pause_reason="gone")
    code = "redirect" if 300 <= status < 400 else f"http-{status}"
    reading = Reading("retry", code, f"The receiver answered {status}.", destination_failed=True)
    reading.retry_after = retry_after(headers, now)
    if status in (429, 502, 503, 504) and reading.retry_after:
        reading.pause, reading.pause_reason = min(reading.retry_after, 3600.0), "retry-after"
    return reading


def read_of_host(status: int, headers: Mapping[str, str], now: float) -> Reading:
    """The same where the destination is a host, with many URLs: that one of them is gone or refuses says nothing of it."""
    reading = read(status, headers, now)
    if 300 <= status < 500 and status not in (408, 429):
        return replace(reading, destination_failed=False, pause=None, pause_reason=None)
    return reading


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that a `Retry-After` header asks for: a number or a date. None when there is none, or it is unreadable."""
    text = next((value for name, value in headers.items() if name.lower() == "retry-after"), "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None


_OWN = ("content-type", "webhook-id", "webhook-timestamp", "webhook-signature", "switchhook-hops", "traceparent")


def _headers(delivery: Delivery, keys: tuple[bytes, ...], body: bytes, now: float) -> dict[str, str]:
    sent_at = int(now)
    headers = {
        "content-type": JSON,
        "user-agent": "Switchhook/1",
        "webhook-id": delivery.id,
        "webhook-timestamp": str(sent_at),
        "webhook-signature": signature(keys, delivery.id, sent_at, body),
        "switchhook-hops": str(delivery.hops + 1),
    }
    if delivery.traceparent:
        headers["traceparent"] = delivery.traceparent
    return headers


def _template_type(endpoint: Endpoint, usual: str, body: bytes) -> dict[str, str]:
    """The content type of a body of the user's own: what he says it is, or by what it looks like."""
    if any(name.lower() == "content-type" for name in endpoint.headers):
        return {}
    return {"content-type": usual if _is_json(body) else TEXT}


def _is_json(body: bytes) -> bool:
    """Whether it is an object or a list. A text that only reads as a number or a word is a text."""
    if not body.lstrip().startswith((b"{", b"[")):
        return False
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return True


def _event_body(delivery: Delivery, endpoint: Endpoint, catalogue: Catalogue, render: RenderTemplate) -> bytes:
    event: dict[str, Any] = delivery.content()
    subject = Subject(event["type"], event["timestamp"], event.get("data") or {})
    title = formats.title_of(subject, endpoint.title_map)
    titled = Subject(subject.type, subject.timestamp, subject.data, title)
    return _body(endpoint.format, titled, delivery.project_id, catalogue, endpoint.template, render)


def _body(
    format: WebhookFormat,
    subject: Subject,
    project_id: str,
    catalogue: Catalogue,
    template: str | None,
    render: RenderTemplate,
) -> bytes:
    shows_bot = format in ("sendpulse", "sendpulse_legacy")
    shown_bot = _shown_bot(subject.data, project_id, catalogue) if shows_bot else UNSEEN
    return formats.body(format, subject, shown_bot, template, render)


def _shown_bot(data: Mapping[str, Any], project_id: str, catalogue: Catalogue) -> ShownBot:
    """The project's bot and channel that the data names, as the registry knows them today."""
    named_bot, named_channel = data.get("bot") or {}, data.get("channel") or {}
    bot = _of(project_id, catalogue.bot(str(named_bot.get("id"))))
    channel = _of(project_id, catalogue.known_channel(str(named_channel.get("id"))))
    type = channel.type if channel else str(named_channel.get("type") or "http")
    connector = catalogue.connectors.get(type)
    return ShownBot(
        bot_id=str(named_bot.get("id") or ""),
        name=bot.name if bot else named_bot.get("name"),
        photo=bot.photo if bot else None,
        channel_type=type,
        external_id=channel.external_id if channel else None,
        url=channel.url if channel else None,
        words=connector.descriptor.sendpulse if connector else SendPulse(),
    )


def _of(project_id: str, found: E | None) -> E | None:
    return found if found is not None and found.project_id == project_id else None
