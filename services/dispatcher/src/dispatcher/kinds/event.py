"""An event for an endpoint that chose its type: signed, for days, in order where the endpoint asks for it."""

from __future__ import annotations

import time
from typing import Any

from contracts.event_types import is_about_delivery
from contracts.registry import Endpoint
from dispatcher.model.catalogue import Catalogue
from dispatcher.model.delivery import FEW, Delivery, DeliveryKind, Limits, Result, SendContext
from dispatcher.model.retry_schedule import WEBHOOKS
from dispatcher.requests import Reading, Request
from dispatcher.results import reports
from dispatcher.sending import webhooks
from servicekit.http_client.guarded_http import Answer
from servicekit.kafka.records import Outgoing


def _target(endpoint: Endpoint) -> str:
    return endpoint.id


def _limits(target: str, catalogue: Catalogue) -> Limits:
    endpoint = catalogue.known_endpoint(target)
    if endpoint is None:
        return FEW
    rate = endpoint.rate_limit
    return Limits(endpoint.max_in_flight, rate["count"] / rate.get("per_seconds", 1) if rate else None)


def _own_delays(delivery: Delivery, context: SendContext) -> tuple[int, ...] | None:
    endpoint = context.catalogue.known_endpoint(delivery.target)
    return endpoint.schedule_seconds if endpoint else None


def _request(delivery: Delivery, context: SendContext) -> Request:
    return webhooks.event_request(delivery, context.catalogue, context.render, time.time())


def _read(delivery: Delivery, request: Request, answer: Answer, context: SendContext) -> Reading:
    reading = webhooks.read(answer.status, answer.headers, time.time())
    endpoint = context.catalogue.known_endpoint(delivery.target)
    if reading.pause_reason == "gone" and endpoint is not None and endpoint.state == "disabled":
        reading.pause = reading.pause_reason = None  # That is known: the request was on its way.
    return reading


def _report(result: Result, now: str) -> list[Outgoing]:
    return _exhausted(result, now) if result.outcome == "exhausted" else []


def _exhausted(result: Result, now: str) -> list[Outgoing]:
    """Once an hour for an endpoint: its deliveries can be listed. Not of an event that tells of deliveries itself: else one
    failing endpoint would feed itself for ever."""
    if is_about_delivery(result.delivery.event_type):
        return []
    about: dict[str, Any] = {"endpoint": {"id": result.delivery.target}}
    return [reports.exhausted(result, about, now, once=f"{result.delivery.target} {now[: reports.HOUR]}")]


STRETCH = 8
"""Of an ordered endpoint's lane: with one at a time each event would wait for the transaction of the one before it, and cost
one of its own. Receivers know repeats by their `webhook-id`."""

KIND = DeliveryKind(
    name="event",
    action=None,
    prefix="endpoint",
    target=_target,
    limits=_limits,
    schedule=WEBHOOKS,
    own_delays=_own_delays,
    stretch=STRETCH,
    batched=True,
    request=_request,
    read=_read,
    report=_report,
    dropped=_exhausted,
    owner_warned=True,
)
