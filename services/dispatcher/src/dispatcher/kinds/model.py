"""A question to a language model: a conversation waits for the answer, or who tests the model at the registry."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from contracts.actions import AskModel
from dispatcher.model.delivery import Delivery, DeliveryKind, Result, SendContext
from dispatcher.model.retry_schedule import Schedule
from dispatcher.requests import Reading, Request, without
from dispatcher.results import reports
from dispatcher.sending import api_calls, models
from servicekit.http_client.guarded_http import Answer
from servicekit.kafka.records import Outgoing


def _target(action: AskModel) -> str:
    return action.api_call_id


def _expires(action: AskModel, now: datetime) -> datetime:
    """When nobody waits any more. Its time begins when it is taken over: after an outage old questions come with old times."""
    return now + timedelta(seconds=action.seconds)


def _request(delivery: Delivery, context: SendContext) -> Request:
    return models.request(delivery, context.catalogue)


def _read(delivery: Delivery, request: Request, answer: Answer, context: SendContext) -> Reading:
    action: AskModel = delivery.content()
    reading = models.read(action, answer.status, answer.headers, answer.body, answer.truncated, time.time())
    reading.answer = without(reading.answer, request.secrets)  # A person may be shown it.
    return reading


def _report(result: Result, now: str) -> list[Outgoing]:
    action: AskModel = result.delivery.content()
    if action.reply_to is not None:
        return [reports.call_reply(result, action.reply_to)]
    return [reports.call_result(result, now, wait=action.wait)]


KIND = DeliveryKind(
    name="model",
    action=AskModel,
    prefix="model",
    target=_target,
    limits=api_calls.limits,
    expires=_expires,
    schedule=Schedule((1, 2, 4, 8), repeat_last=True, jitter=0.2),
    request=_request,
    body_of=models.shown_body,
    read=_read,
    own_delays=api_calls.own_delays,
    answered=True,
    report=_report,
    not_replayable=api_calls.NOBODY_WAITS,
)
