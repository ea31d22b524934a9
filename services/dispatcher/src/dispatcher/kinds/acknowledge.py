"""Telling a platform that a tap was seen: one attempt, and its failure harms nobody."""

from __future__ import annotations

from contracts.actions import AcknowledgeTap
from dispatcher.model.delivery import Delivery, DeliveryKind, SendContext
from dispatcher.requests import Request
from dispatcher.sending import channel_requests
from dispatcher.sending.api_calls import NOBODY_WAITS, expires


def _request(delivery: Delivery, context: SendContext) -> Request:
    platform, account = channel_requests.active(delivery, context)
    return channel_requests.of_plan(platform.acknowledge(account, delivery.content()))


KIND = DeliveryKind(
    name="acknowledge",
    action=AcknowledgeTap,
    prefix=channel_requests.PREFIX,
    target=channel_requests.target,
    limits=channel_requests.limits,
    expires=expires,
    batched=True,
    request=_request,
    read=channel_requests.read,
    not_replayable=NOBODY_WAITS,
)
