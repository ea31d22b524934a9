"""The records by which the engine, waiting callers and subscribers hear of a result. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

import orjson

from contracts import cloudevents, events, findings, inbound, replies
from contracts.cloudevents import rfc3339
from contracts.event_types import EventType
from contracts.ids import derived_id, split_conversation_key
from dispatcher.model.delivery import Delivery, Result
from dispatcher.requests import without
from servicekit.kafka.records import Outgoing

SOURCE = "switchhook/dispatcher"
WITHOUT_ANSWER = ("timeout", "expired", "interrupted")
"""Codes of calls whose node is left by `timeout`."""
DAY, HOUR = len("2026-11-21"), len("2026-11-21T00")
"""Of a moment as RFC 3339: what is the same on one day, and in one hour."""


def of(result: Result, now: str) -> list[Outgoing]:
    """The records that a result makes, if any. `now` is RFC 3339."""
    return result.delivery.kind.report(result, now) if result.final else []


def of_dropped(delivery: Delivery, why: str, now: str) -> list[Outgoing]:
    """The records about a delivery that outlived the time that deliveries are kept."""
    return delivery.kind.dropped(Result(delivery, "discarded", code="too-old", detail=why), now)


def call_reply(result: Result, reply_to: inbound.ReplyTo) -> Outgoing:
    """For who waits at the registry."""
    reply = replies.CallReply(
        instance=reply_to.instance,
        request_id=reply_to.request_id,
        request=result.request or {},
        status=result.status,
        took_ms=result.took_ms,
        body=_passable(result.answer, result.secrets),
        problems=() if result.outcome == "succeeded" else (result.detail or result.code or "failed",),
    )
    id = derived_id(result.delivery.id, "reply")
    headers = cloudevents.headers(id=id, type="reply.call", source=SOURCE, time=cloudevents.now_text())
    return Outgoing(replies.TOPIC.name, reply_to.request_id.encode(), reply.encode(), headers, reply_to.partition)


def _passable(answer: Any, secrets: tuple[str, ...]) -> Any:
    """The answer without secrets, or None where it is nested deeper than a record can be: it is whatever a server sends."""
    try:
        orjson.dumps(answer)
    except TypeError:
        return None
    return without(answer, secrets)


def exhausted(result: Result, about: Mapping[str, Any], now: str, *, once: str | None = None) -> Outgoing:
    """No more attempts are made; `about` names the target in the event's data. `once`: see `event`."""
    delivery = {
        "id": result.delivery.id,
        "attempts": result.delivery.attempts,
        "event_type": result.delivery.event_type,
    }
    data = {**about, "delivery": delivery, "error": failure(result).model_dump()}
    return event("delivery.exhausted", result.delivery, data, now, once=once)


def channel_paused(result: Result, now: str) -> list[Outgoing]:
    """The platform refused the channel's credentials."""
    data = {"channel": {"id": result.delivery.target}, "reason": result.detail or "The platform refused the token."}
    return found("channel.paused", result.delivery, data, now)


def endpoint_gone(result: Result, now: str) -> list[Outgoing]:
    """The receiver wants no more."""
    return endpoint_disabled(result.delivery, "The receiver answered 410 Gone.", now)


def endpoint_disabled(delivery: Delivery, why: str, now: str) -> list[Outgoing]:
    """No more is sent there until somebody enables it."""
    return found("endpoint.disabled", delivery, {"endpoint": {"id": delivery.target}, "reason": why}, now)


def endpoint_failing(delivery: Delivery, now: str) -> Outgoing:
    """A warning to its owner, once a day."""
    once = f"{delivery.target} {now[:DAY]}"
    return event(
        "endpoint.failing", delivery, {"endpoint": {"id": delivery.target}}, now, key=delivery.target, once=once
    )


def endpoint_circuit(result: Result, now: str) -> Outgoing:
    """For the registry alone, which shows it with the endpoint."""
    circuit: dict[str, Any] = {}
    if result.circuit:
        until = rfc3339(datetime.fromisoformat(now) + timedelta(seconds=result.circuit))
        circuit = {"next_try": until, "reason": failure(result).detail}
    data = {"endpoint": {"id": result.delivery.target}, "circuit": circuit}
    once = f"{result.delivery.id} {result.delivery.attempts}"
    told = event("endpoint.circuit", result.delivery, data, now, key=result.delivery.target, once=once)
    return told._replace(topic=findings.TOPIC.name)


def found(type: EventType, delivery: Delivery, data: Mapping[str, Any], now: str) -> list[Outgoing]:
    """An event about the delivery's target: for the outside, and for the registry, which marks the target."""
    told = event(type, delivery, data, now, key=delivery.target)
    return [told, told._replace(topic=findings.TOPIC.name)]


def call_result(result: Result, now: str, *, wait: str, response: Literal["envelope", "raw"] | None = None) -> Outgoing:
    """The answer to the step that waits for it."""
    succeeded = result.outcome == "succeeded"
    outcome: Literal["ok", "timeout", "error"] = "timeout" if result.code in WITHOUT_ANSWER else "error"
    body = inbound.CallResult(
        **place(result.delivery, now),
        action_id=result.delivery.id,
        wait=wait,
        outcome="ok" if succeeded else outcome,
        status=result.status,
        body=result.answer,
        error=None if succeeded else failure(result),
        response=response,
        took_ms=result.took_ms or None,
    )
    return to_engine(result.delivery, body, now)


def failure(result: Result) -> inbound.CallFailure:
    """Why it did not succeed."""
    return inbound.CallFailure(type=result.code or "failed", detail=result.detail or "It failed.", status=result.status)


def event(
    type: EventType,
    delivery: Delivery,
    data: Mapping[str, Any],
    now: str,
    *,
    key: str | None = None,
    once: str | None = None,
) -> Outgoing:
    """An event record; its id follows from the delivery, so that a repeat is one event, or from `once`: all that have the
    same are one event to who subscribes."""
    subject = key or delivery.conversation or delivery.project_id
    id = derived_id(once or delivery.id, type, delivery.attempts if type == "channel.paused" else "")
    headers = cloudevents.headers(
        id=id, type=type, source=SOURCE, time=now, subject=subject, project=delivery.project_id,
        traceparent=delivery.traceparent,
    )  # fmt: skip
    headers.append((cloudevents.HOPS, b"%d" % (delivery.hops + 1)))
    return Outgoing(
        events.TOPIC.name, subject.encode(), orjson.dumps({"type": type, "timestamp": now, "data": data}), headers
    )


def to_engine(delivery: Delivery, body: inbound.InboundBase, now: str, *, key: str | None = None) -> Outgoing:
    """A result on its way to the conversation, in order with everything else that happens to it; `key`: to who else it is about."""
    subject = key or delivery.conversation
    kind = body.kind  # type: ignore[attr-defined]  # every model of the union has one
    headers = cloudevents.headers(
        id=derived_id(delivery.id, "result"), type=f"inbound.{kind}", source=SOURCE, time=now,
        subject=subject, project=delivery.project_id, traceparent=delivery.traceparent,
    )  # fmt: skip
    return Outgoing(inbound.TOPIC.name, (subject or "").encode(), body.encode(), headers)


def place(delivery: Delivery, now: str) -> dict[str, Any]:
    """The fields that every record to the engine about a delivery has."""
    bot_id, channel_id, peer_id = split_conversation_key(delivery.conversation or "--/-/-")
    return {
        "project_id": delivery.project_id,
        "bot_id": bot_id,
        "channel_id": channel_id,
        "peer_id": peer_id,
        "received_at": now,
        "hops": delivery.hops,
    }
