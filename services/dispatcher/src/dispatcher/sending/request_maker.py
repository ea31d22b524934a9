"""From a delivery to its request, and from the answer to what it means: one door to the kinds' own modules."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from contracts.actions import ChannelCall
from dispatcher.errors import ChannelPaused, NoRequest
from dispatcher.model import Delivery
from dispatcher.requests import Reading, Request
from dispatcher.scheduling.destination import Limits
from dispatcher.sending import api_calls, webhooks
from dispatcher.sending.catalogue import Catalogue
from dispatcher.sending.channels import CHANNELS
from dispatcher.sending.channels.port import Account, Channel
from dispatcher.sending.formats import RenderTemplate

API_LIMITS, INLINE_LIMITS, CHANNEL_CALL_LIMITS = Limits(32), Limits(64), Limits(4)
CHANNEL_TIMEOUT = 15.0


class RequestMaker:
    """Pure but for the catalogue, which is in memory. `longest`: no request takes longer, seconds."""

    def __init__(self, catalogue: Catalogue, render: RenderTemplate, longest: float) -> None:
        self._catalogue, self._render, self._longest = catalogue, render, longest

    def limits(self, destination: str) -> Limits:
        """What a destination takes, over all replicas."""
        kind, _, target = destination.partition(":")
        if kind == "channel":
            known = self._catalogue.known_channel(target)
            channel = CHANNELS.get(known.type) if known else None
            return Limits(channel.in_flight, channel.rate) if channel else CHANNEL_CALL_LIMITS
        if kind == "endpoint":
            endpoint = self._catalogue.known_endpoint(target)
            if endpoint is None:
                return CHANNEL_CALL_LIMITS
            rate = endpoint.rate_limit
            return Limits(endpoint.max_in_flight, rate["count"] / rate.get("per_seconds", 1) if rate else None)
        return {"api": API_LIMITS, "host": INLINE_LIMITS}.get(kind, CHANNEL_CALL_LIMITS)

    def make(self, delivery: Delivery) -> Request:
        """Raises NoRequest when there is nothing to send any more, NotYetKnown when the registry is behind, ChannelPaused."""
        match delivery.kind:
            case "event":
                return webhooks.event_request(delivery, self._catalogue, self._render, time.time())
            case "webhook":
                return webhooks.step_request(delivery, self._catalogue, self._render, time.time())
            case "call":
                return api_calls.request(delivery, self._catalogue)
        channel, account = self._channel(delivery)
        action = delivery.content()
        if isinstance(action, ChannelCall):
            return channel.method(account, action.method, action.params)
        if account.entity.state == "paused":
            raise ChannelPaused(f"The channel {account.entity.name!r} is paused.")
        if delivery.kind == "message":
            return channel.message(account, action, delivery.attempts == 1)
        return channel.acknowledge(account, action)

    def read(
        self, delivery: Delivery, status: int, headers: Mapping[str, str], body: bytes, truncated: bool
    ) -> Reading:
        """What the answer means."""
        if delivery.kind in ("event", "webhook"):
            return webhooks.read(status, headers, time.time())
        if delivery.kind == "call":
            call = self._catalogue.api_call(delivery.content().api_call_id)
            return api_calls.read(call, status, body, truncated)
        return self._channel(delivery)[0].read(status, body)

    def moved(self, delivery: Delivery, reading: Reading) -> Any:
        """The action for where the chat went."""
        return self._channel(delivery)[0].moved(delivery.content(), reading)

    def own_delays(self, delivery: Delivery) -> tuple[int, ...] | None:
        """The endpoint's own schedule, if it has one."""
        endpoint = self._catalogue.known_endpoint(delivery.target) if delivery.kind == "event" else None
        return endpoint.schedule_seconds if endpoint else None

    def repeatable(self, delivery: Delivery) -> bool:
        """Whether a request may be sent again although its answer was lost."""
        if delivery.kind != "call":
            return True
        return self._catalogue.api_call(delivery.content().api_call_id).idempotent

    def _channel(self, delivery: Delivery) -> tuple[Channel, Account]:
        entity = self._catalogue.channel(delivery.content().channel_id)
        channel = CHANNELS.get(entity.type)
        if channel is None:
            raise NoRequest("exhausted", "no-such-channel", f"Nothing is sent to channels of type {entity.type}.")
        return channel, Account(entity, self._catalogue.credentials(entity), min(CHANNEL_TIMEOUT, self._longest))
