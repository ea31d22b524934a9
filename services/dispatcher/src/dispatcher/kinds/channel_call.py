"""A method of a channel's platform, called for who waits at the registry: one attempt, whatever the channel's state."""

from __future__ import annotations

from contracts.actions import ChannelCall
from dispatcher.errors import NotYetKnown
from dispatcher.model.delivery import Delivery, DeliveryKind, Result, SendContext
from dispatcher.requests import Request
from dispatcher.results import reports
from dispatcher.sending import channel_requests
from dispatcher.sending.api_calls import NOBODY_WAITS, expires
from servicekit.kafka.records import Outgoing


def _request(delivery: Delivery, context: SendContext) -> Request:
    platform, account = channel_requests.platform_of(delivery, context)
    action: ChannelCall = delivery.content()
    sealed = account.channel.credentials
    if sealed is not None and sealed.version < action.credentials_version:
        raise NotYetKnown(f"the credentials of channel {action.channel_id}")
    return channel_requests.of_plan(platform.call(account, action.method, action.params))


def _report(result: Result, now: str) -> list[Outgoing]:
    action: ChannelCall = result.delivery.content()
    return [reports.call_reply(result, action.reply_to)]


KIND = DeliveryKind(
    name="channel_call",
    action=ChannelCall,
    prefix="channel-call",
    target=channel_requests.target,
    expires=expires,
    request=_request,
    read=channel_requests.read,
    answered=True,
    report=_report,
    not_replayable=NOBODY_WAITS,
)
