"""What the engine, waiting callers and subscribers hear of a result. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from contracts import cloudevents, events, findings, inbound, replies
from contracts.actions import CallApi, ChannelCall, PostWebhook, SendMessage
from contracts.event_types import EventType, is_about_delivery
from contracts.ids import derived_id, split_conversation_key
from dispatcher.model import Delivery, Result
from servicekit.kafka.records import Outgoing

SOURCE = "switchhook/dispatcher"


def of(result: Result, now: str) -> list[Outgoing]:
    """The records that a result makes, if any. `now` is RFC 3339."""
    if not result.final:
        return channel_paused(result, now)
    match result.delivery.kind:
        case "call":
            return [of_call(result, now)]
        case "channel_call":
            return [call_reply(result, result.delivery.content())]
        case "message":
            return [of_message(result, now), *channel_paused(result, now)]
        case "webhook":
            return of_step(result, now)
        case "event":
            return of_subscription(result, now)
    return []


def of_call(result: Result, now: str) -> Outgoing:
    """The call's answer goes back to the conversation, or to who tests it."""
    action: CallApi = result.delivery.content()
    if action.reply_to is not None:
        return call_reply(result, action)
    body = inbound.CallResult(
        **_place(result.delivery, now),
        action_id=action.id,
        wait=action.wait,
        outcome=_call_outcome(result),
        status=result.status,
        body=result.answer,
        error=None if result.outcome == "succeeded" else failure(result),
    )
    return to_engine(result.delivery, body, now)


def _call_outcome(result: Result) -> Any:
    if result.outcome == "succeeded":
        return "ok"
    return "timeout" if result.code in ("timeout", "expired") else "error"


def call_reply(result: Result, action: CallApi | ChannelCall) -> Outgoing:
    """For who waits at the registry."""
    reply_to = action.reply_to
    assert reply_to is not None
    reply = replies.CallReply(
        instance=reply_to.instance,
        request_id=reply_to.request_id,
        request=result.request or {},
        status=result.status,
        took_ms=result.took_ms,
        body=result.answer,
        problems=() if result.outcome == "succeeded" else (result.detail or result.code or "failed",),
    )
    id = derived_id(result.delivery.id, "reply")
    headers = cloudevents.headers(id=id, type="reply.call", source=SOURCE, time=cloudevents.now_text())
    return Outgoing(replies.TOPIC.name, reply_to.request_id.encode(), reply.encode(), headers, reply_to.partition)


def of_message(result: Result, now: str) -> Outgoing:
    """What became of a message, for the engine: message.sent and message.failed are its events, with the contact in them."""
    action: SendMessage = result.delivery.content()
    sent = result.outcome == "succeeded"
    body = inbound.MessageResult(
        **_place(result.delivery, now),
        action_id=action.id,
        seq=action.seq,
        outcome="sent" if sent else "failed",
        provider_message_id=result.provider_message_id,
        error=None if sent else failure(result),
        unreachable=result.unreachable,
    )
    return to_engine(result.delivery, body, now)


def of_step(result: Result, now: str) -> list[Outgoing]:
    """A send_webhook step's title counts as received when the receiver answered 2xx."""
    action: PostWebhook = result.delivery.content()
    if result.outcome == "succeeded":
        data = {**action.data, "title": action.title, "delivery": {"id": result.delivery.id}}
        return [event("webhook.sent", result.delivery, data, now)]
    return [exhausted(result, {"title": action.title}, now)] if result.outcome == "exhausted" else []


def of_subscription(result: Result, now: str) -> list[Outgoing]:
    """No event about a delivery of an event about a delivery (hardening 22)."""
    made = []
    if result.code == "gone":
        made += endpoint_disabled(result.delivery, "The receiver answered 410 Gone.", now)
    if result.outcome == "exhausted" and not is_about_delivery(result.delivery.event_type):
        made.append(exhausted(result, {"endpoint": {"id": result.delivery.target}}, now))
    return made


def of_dropped(delivery: Delivery, why: str, now: str) -> list[Outgoing]:
    """A webhook that outlived the time that deliveries are kept."""
    if delivery.kind not in ("event", "webhook") or is_about_delivery(delivery.event_type):
        return []
    about = {"endpoint": {"id": delivery.target}} if delivery.kind == "event" else {}
    return [exhausted(Result(delivery, "discarded", code="too-old", detail=why), about, now)]


def exhausted(result: Result, about: Mapping[str, Any], now: str) -> Outgoing:
    delivery = {
        "id": result.delivery.id,
        "attempts": result.delivery.attempts,
        "event_type": result.delivery.event_type,
    }
    data = {**about, "delivery": delivery, "error": failure(result).model_dump()}
    return event("delivery.exhausted", result.delivery, data, now)


def channel_paused(result: Result, now: str) -> list[Outgoing]:
    """The platform refused the channel's credentials."""
    if result.pause_reason != "unauthorized":
        return []
    data = {"channel": {"id": result.delivery.target}, "reason": result.detail or "The platform refused the token."}
    return found("channel.paused", result.delivery, data, now)


def endpoint_disabled(delivery: Delivery, why: str, now: str) -> list[Outgoing]:
    """No more is sent there until somebody enables it."""
    return found("endpoint.disabled", delivery, {"endpoint": {"id": delivery.target}, "reason": why}, now)


def endpoint_failing(delivery: Delivery, now: str) -> Outgoing:
    """A warning to its owner."""
    return event("endpoint.failing", delivery, {"endpoint": {"id": delivery.target}}, now, key=delivery.target)


def found(type: EventType, delivery: Delivery, data: Mapping[str, Any], now: str) -> list[Outgoing]:
    """An event about the delivery's target: for the outside, and for the registry, which marks the target."""
    told = event(type, delivery, data, now, key=delivery.target)
    return [told, told._replace(topic=findings.TOPIC.name)]


def failure(result: Result) -> inbound.CallFailure:
    return inbound.CallFailure(type=result.code or "failed", detail=result.detail or "It failed.", status=result.status)


def event(
    type: EventType, delivery: Delivery, data: Mapping[str, Any], now: str, *, key: str | None = None
) -> Outgoing:
    """An event record; its id follows from the delivery, so that a repeat is one event."""
    subject = key or delivery.conversation or delivery.project_id
    id = derived_id(delivery.id, type, delivery.attempts if type == "channel.paused" else "")
    headers = cloudevents.headers(
        id=id, type=type, source=SOURCE, time=now, subject=subject, project=delivery.project_id,
        traceparent=delivery.traceparent,
    )  # fmt: skip
    headers.append((cloudevents.HOPS, b"%d" % (delivery.hops + 1)))
    return Outgoing(
        events.TOPIC.name, subject.encode(), orjson.dumps({"type": type, "timestamp": now, "data": data}), headers
    )


def to_engine(delivery: Delivery, body: inbound.InboundBase, now: str) -> Outgoing:
    """A result on its way to the conversation, in order with everything else that happens to it."""
    kind = body.kind  # type: ignore[attr-defined]  # every model of the union has one
    headers = cloudevents.headers(
        id=derived_id(delivery.id, "result"), type=f"inbound.{kind}", source=SOURCE, time=now,
        subject=delivery.conversation, project=delivery.project_id, traceparent=delivery.traceparent,
    )  # fmt: skip
    return Outgoing(inbound.TOPIC.name, (delivery.conversation or "").encode(), body.encode(), headers)


def _place(delivery: Delivery, now: str) -> dict[str, Any]:
    bot_id, channel_id, peer_id = split_conversation_key(delivery.conversation or "--/-/-")
    return {
        "project_id": delivery.project_id,
        "bot_id": bot_id,
        "channel_id": channel_id,
        "peer_id": peer_id,
        "received_at": now,
        "hops": delivery.hops,
    }
