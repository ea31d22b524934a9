"""A request that a flow describes itself: a conversation waits for its answer; half a minute in all."""

from __future__ import annotations

from contracts.actions import HttpRequest
from dispatcher.model.delivery import Delivery, DeliveryKind, Result, SendContext
from dispatcher.requests import Reading, Request
from dispatcher.results import reports
from dispatcher.sending import api_calls, http_requests
from dispatcher.sending.url_host import host_of
from servicekit.http_client.guarded_http import Answer
from servicekit.kafka.records import Outgoing


def _target(action: HttpRequest) -> str:
    """The project's own view of a host, apart from the webhooks to it: these may be many, and nobody waits for them."""
    return f"{action.project_id}/{host_of(action.url)}"


def _request(delivery: Delivery, context: SendContext) -> Request:
    return http_requests.request(delivery, context.catalogue)


def _read(delivery: Delivery, request: Request, answer: Answer, context: SendContext) -> Reading:
    return http_requests.read(delivery.content(), answer.status, answer.body, answer.truncated)


def _repeatable(delivery: Delivery, context: SendContext) -> bool:
    action: HttpRequest = delivery.content()
    return action.idempotent


def _report(result: Result, now: str) -> list[Outgoing]:
    action: HttpRequest = result.delivery.content()
    return [reports.call_result(result, now, wait=action.wait)]


KIND = DeliveryKind(
    name="http_request",
    action=HttpRequest,
    prefix="request",
    target=_target,
    limits=api_calls.limits,
    expires=api_calls.expires,
    schedule=api_calls.SCHEDULE,
    request=_request,
    read=_read,
    repeatable=_repeatable,
    report=_report,
    not_replayable=api_calls.NOBODY_WAITS,
)
