"""A call of a named API: a conversation waits for its answer, or who tests it at the registry; half a minute in all."""

from __future__ import annotations

from contracts.actions import CallApi
from contracts.registry import ApiCall
from dispatcher.model.delivery import Delivery, DeliveryKind, Result, SendContext
from dispatcher.requests import Reading, Request
from dispatcher.results import reports
from dispatcher.sending import api_calls
from servicekit.http_client.guarded_http import Answer
from servicekit.kafka.records import Outgoing


def _target(action: CallApi) -> str:
    return action.api_call_id


def _request(delivery: Delivery, context: SendContext) -> Request:
    return api_calls.request(delivery, context.catalogue)


def _entity(delivery: Delivery, context: SendContext) -> ApiCall:
    action: CallApi = delivery.content()
    return context.catalogue.api_call(action.api_call_id, delivery.project_id)


def _read(delivery: Delivery, request: Request, answer: Answer, context: SendContext) -> Reading:
    return api_calls.read(_entity(delivery, context).idempotent, answer.status, answer.body, answer.truncated)


def _repeatable(delivery: Delivery, context: SendContext) -> bool:
    return _entity(delivery, context).idempotent


def _report(result: Result, now: str) -> list[Outgoing]:
    """The answer goes back to the conversation, or to who tests it."""
    action: CallApi = result.delivery.content()
    if action.reply_to is not None:
        return [reports.call_reply(result, action.reply_to)]
    return [reports.call_result(result, now, wait=action.wait, response=action.response)]


KIND = DeliveryKind(
    name="call",
    action=CallApi,
    prefix="api",
    target=_target,
    limits=api_calls.limits,
    expires=api_calls.expires,
    schedule=api_calls.SCHEDULE,
    request=_request,
    read=_read,
    repeatable=_repeatable,
    own_delays=api_calls.own_delays,
    answered=True,
    report=_report,
    not_replayable=api_calls.NOBODY_WAITS,
)
