"""How the dispatcher rings: a POST to the house, tried again for a minute; who is at the door is told to the conversation."""

from __future__ import annotations

from datetime import datetime, timedelta

import orjson

from bells.action import RingBell
from contracts import inbound
from dispatcher.model.catalogue import Catalogue
from dispatcher.model.delivery import Delivery, DeliveryKind, Limits, Result, SendContext
from dispatcher.model.retry_schedule import Schedule
from dispatcher.requests import Reading, Request
from dispatcher.results import reports
from servicekit.http_client.guarded_http import Answer
from servicekit.kafka.records import Outgoing


def _target(action: RingBell) -> str:
    return action.house


def _limits(house: str, catalogue: Catalogue) -> Limits:
    return Limits(1)


def _expires(action: RingBell, now: datetime) -> datetime:
    return now + timedelta(minutes=1)


def _request(delivery: Delivery, context: SendContext) -> Request:
    action: RingBell = delivery.content()
    url, headers = f"https://{action.house}/bell", {"Content-Type": "application/json", "Idempotency-Key": delivery.id}
    body = orjson.dumps({"times": action.times})
    return Request("POST", url, headers, body, 5.0, url, headers, body)


def _read(delivery: Delivery, request: Request, answer: Answer, context: SendContext) -> Reading:
    if answer.status == 200:
        return Reading("succeeded", answer=orjson.loads(answer.body))
    if answer.status == 404:
        return Reading("exhausted", "nobody-home", "Nobody lives there.")
    return Reading("retry", f"http-{answer.status}", f"The house answered {answer.status}.", destination_failed=True)


def _report(result: Result, now: str) -> list[Outgoing]:
    action: RingBell = result.delivery.content()
    body = inbound.CallResult(
        **reports.place(result.delivery, now),
        action_id=action.id,
        wait=action.wait,
        outcome="ok" if result.outcome == "succeeded" else "error",
        body=result.answer,
        error=None if result.outcome == "succeeded" else reports.failure(result),
    )
    return [reports.to_engine(result.delivery, body, now)]


KIND = DeliveryKind(
    name="bell",
    action=RingBell,
    prefix="house",
    target=_target,
    limits=_limits,
    expires=_expires,
    schedule=Schedule((0, 1, 5), repeat_last=True),
    request=_request,
    read=_read,
    report=_report,
    not_replayable="Whoever was at the door has gone.",
)
