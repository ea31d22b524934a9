"""A call of a named API: a conversation waits for its answer, or who tests it at the registry; half a minute in all."""

from __future__ import annotations

from typing import Literal

from contracts import inbound
from contracts.actions import CallApi
from contracts.registry import ApiCall
from dispatcher.model.catalogue import Catalogue
from dispatcher.model.delivery import Delivery, DeliveryKind, Limits, Result, SendContext
from dispatcher.model.retry_schedule import Schedule
from dispatcher.requests import Reading, Request
from dispatcher.results import reports
from dispatcher.sending import api_calls
from servicekit.http_client.guarded_http import Answer
from servicekit.kafka.records import Outgoing


def _target(action: CallApi) -> str:
    return action.api_call_id


def _limits(target: str, catalogue: Catalogue) -> Limits:
    return Limits(32)


def _request(delivery: Delivery, context: SendContext) -> Request:
    return api_calls.request(delivery, context.catalogue)


def _entity(delivery: Delivery, context: SendContext) -> ApiCall:
    action: CallApi = delivery.content()
    return context.catalogue.api_call(action.api_call_id, delivery.project_id)


def _read(delivery: Delivery, request: Request, answer: Answer, context: SendContext) -> Reading:
    return api_calls.read(_entity(delivery, context), answer.status, answer.body, answer.truncated)


def _repeatable(delivery: Delivery, context: SendContext) -> bool:
    return _entity(delivery, context).idempotent


def _own_delays(delivery: Delivery, context: SendContext) -> tuple[int, ...] | None:
    """A test call is made once: who tests it wants to see what the first attempt came to."""
    action: CallApi = delivery.content()
    return () if action.reply_to is not None else None


def _report(result: Result, now: str) -> list[Outgoing]:
    """The answer goes back to the conversation, or to who tests it."""
    action: CallApi = result.delivery.content()
    if action.reply_to is not None:
        return [reports.call_reply(result, action.reply_to)]
    body = inbound.CallResult(
        **reports.place(result.delivery, now),
        action_id=action.id,
        wait=action.wait,
        outcome=_outcome(result),
        status=result.status,
        body=result.answer,
        error=None if result.outcome == "succeeded" else reports.failure(result),
        response=action.response,
    )
    return [reports.to_engine(result.delivery, body, now)]


def _outcome(result: Result) -> Literal["ok", "timeout", "error"]:
    if result.outcome == "succeeded":
        return "ok"
    return "timeout" if result.code in ("timeout", "expired") else "error"


KIND = DeliveryKind(
    name="call",
    action=CallApi,
    prefix="api",
    target=_target,
    limits=_limits,
    expires=api_calls.expires,
    schedule=Schedule((0.5, 1, 2, 4, 8), repeat_last=True),
    request=_request,
    read=_read,
    repeatable=_repeatable,
    own_delays=_own_delays,
    answered=True,
    report=_report,
    not_replayable=api_calls.NOBODY_WAITS,
)
