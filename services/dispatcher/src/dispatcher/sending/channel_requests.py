"""The channel that a delivery goes to, with its credentials open; what its kinds of deliveries have in common."""

from __future__ import annotations

from typing import Any

from dispatcher.errors import ChannelPaused, NoRequest
from dispatcher.model.catalogue import Catalogue
from dispatcher.model.delivery import FEW, Delivery, Limits, SendContext
from dispatcher.requests import Reading
from dispatcher.sending.channels import CHANNELS
from dispatcher.sending.channels.port import Account, Channel
from servicekit.http_client.guarded_http import Answer

PREFIX = "channel"
CHANNEL_TIMEOUT = 15.0


def target(action: Any) -> str:
    """The channel that an action is for."""
    return str(action.channel_id)


def limits(target: str, catalogue: Catalogue) -> Limits:
    """What a channel takes."""
    known = catalogue.known_channel(target)
    channel = CHANNELS.get(known.type) if known else None
    return Limits(channel.in_flight, channel.rate) if channel else FEW


def channel_of(delivery: Delivery, context: SendContext) -> tuple[Channel, Account]:
    """The platform's module and the account. Raises NoRequest when nothing can be sent there, NotYetKnown."""
    entity = context.catalogue.channel(delivery.content().channel_id)
    channel = CHANNELS.get(entity.type)
    if channel is None:
        raise NoRequest("exhausted", "no-such-channel", f"Nothing is sent to channels of type {entity.type}.")
    return channel, Account(entity, context.catalogue.credentials(entity), min(CHANNEL_TIMEOUT, context.longest))


def active(delivery: Delivery, context: SendContext) -> tuple[Channel, Account]:
    """The same of a channel that is not paused. Raises ChannelPaused, too."""
    channel, account = channel_of(delivery, context)
    if account.entity.state == "paused":
        raise ChannelPaused(f"The channel {account.entity.name!r} is paused.")
    return channel, account


def read(delivery: Delivery, answer: Answer, context: SendContext) -> Reading:
    """What the platform's answer means."""
    return channel_of(delivery, context)[0].read(answer.status, answer.body)


def moved(delivery: Delivery, reading: Reading, context: SendContext) -> Any:
    """The action for where the chat went."""
    return channel_of(delivery, context)[0].moved(delivery.content(), reading)
