"""A send_webhook step's request to its inline URL."""

from __future__ import annotations

import time

from contracts.actions import PostWebhook
from contracts.ids import NOBODY, split_conversation_key
from contracts.inbound import OwnEvent, WebhookReceived
from dispatcher.model.catalogue import Catalogue
from dispatcher.model.delivery import Delivery, DeliveryKind, Limits, Result, SendContext
from dispatcher.model.retry_schedule import WEBHOOKS
from dispatcher.requests import Reading, Request
from dispatcher.results import reports
from dispatcher.sending import webhooks
from dispatcher.sending.url_host import host_of
from servicekit.http_client.guarded_http import Answer
from servicekit.kafka.records import Outgoing


def _target(action: PostWebhook) -> str:
    """The project's own view of a host: what its steps make of it pauses no other project's."""
    return f"{action.project_id}/{host_of(action.url)}"


def _limits(target: str, catalogue: Catalogue) -> Limits:
    return Limits(64)


def _request(delivery: Delivery, context: SendContext) -> Request:
    return webhooks.step_request(delivery, context.catalogue, context.render, time.time())


def _read(delivery: Delivery, request: Request, answer: Answer, context: SendContext) -> Reading:
    return webhooks.read_of_host(answer.status, answer.headers, time.time())


def _body_of(payload: bytes) -> bytes:
    return webhooks.step_body(KIND.parse(payload))


def _report(result: Result, now: str) -> list[Outgoing]:
    """A step's title counts as received when the receiver answered 2xx."""
    action: PostWebhook = result.delivery.content()
    if result.outcome == "succeeded":
        data = {**action.data, "title": action.title, "delivery": {"id": result.delivery.id}}
        return [reports.event("webhook.sent", result.delivery, data, now), *_title_of_contact(action, result, now)]
    return _given_up(action, result, now) if result.outcome == "exhausted" else []


def _given_up(action: PostWebhook, result: Result, now: str) -> list[Outgoing]:
    """For subscribers, and for the engine: a flow of the bot may listen to it."""
    told = [reports.exhausted(result, {"title": action.title}, now)]
    place = reports.place(result.delivery, now)
    if not action.tells_engine or place["channel_id"] == NOBODY:
        return told
    data = {
        "title": action.title,
        "delivery": {"id": result.delivery.id},
        "error": reports.failure(result).model_dump(),
    }
    body = OwnEvent(**place, type="delivery.exhausted", data=data)
    return [*told, reports.to_engine(result.delivery, body, now)]


def _title_of_contact(action: PostWebhook, result: Result, now: str) -> list[Outgoing]:
    """For the engine, which keeps the titles that were received about a contact."""
    if not (action.tells_engine and action.contact_id and action.title):
        return []
    own = f"{action.bot_id}/{NOBODY}/{action.contact_id}"
    body = WebhookReceived(
        project_id=action.project_id, bot_id=action.bot_id, channel_id=NOBODY, peer_id=NOBODY, received_at=now,
        hops=result.delivery.hops, contact_id=action.contact_id, title=action.title,
        conversation=action.conversation if split_conversation_key(action.conversation)[1] != NOBODY else None,
    )  # fmt: skip
    return [reports.to_engine(result.delivery, body, now, key=own)]


def _dropped(result: Result, now: str) -> list[Outgoing]:
    return [reports.exhausted(result, {}, now)]


KIND = DeliveryKind(
    name="webhook",
    action=PostWebhook,
    prefix="host",
    target=_target,
    body_of=_body_of,
    limits=_limits,
    schedule=WEBHOOKS,
    batched=True,
    request=_request,
    read=_read,
    report=_report,
    dropped=_dropped,
)
