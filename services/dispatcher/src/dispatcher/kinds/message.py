"""A message to a person on a channel: in the order of its conversation, until it expires."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from channels.limits import not_shown
from contracts import inbound
from contracts.actions import SendMessage
from dispatcher.model.delivery import Delivery, DeliveryKind, Result, SendContext
from dispatcher.model.retry_schedule import Schedule
from dispatcher.requests import Request
from dispatcher.results import reports
from dispatcher.sending import channel_requests
from servicekit.kafka.records import Outgoing

MESSAGE_LIFE = timedelta(minutes=5)


def _request(delivery: Delivery, context: SendContext) -> Request:
    platform, account = channel_requests.active(delivery, context)
    message: SendMessage = delivery.content()
    descriptor = context.catalogue.connectors[account.channel.type].descriptor
    refusal = not_shown(message.content, descriptor.capabilities, descriptor.title)
    return channel_requests.of_plan(refusal or platform.send(account, message, first=delivery.attempts == 1))


def _report(result: Result, now: str) -> list[Outgoing]:
    """For the engine: message.sent and message.failed are its events, with the contact in them."""
    action: SendMessage = result.delivery.content()
    sent = result.outcome == "succeeded"
    body = inbound.MessageResult(
        **reports.place(result.delivery, now),
        action_id=action.id,
        seq=action.seq,
        outcome="sent" if sent else "cancelled" if result.code == "superseded" else "failed",
        provider_message_id=result.provider_message_id,
        error=None if sent else reports.failure(result),
        unreachable=result.unreachable,
    )
    return [reports.to_engine(result.delivery, body, now)]


def _lane(action: SendMessage) -> tuple[str, int]:
    return action.conversation, action.seq


def _expires(action: SendMessage, now: datetime) -> datetime:
    """Its time begins when it is taken over: after an outage old messages are as good as new ones, unless their flow says
    otherwise."""
    end = now + MESSAGE_LIFE
    return end if action.expires is None else min(end, _moment(action.expires))


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


KIND = DeliveryKind(
    name="message",
    action=SendMessage,
    prefix=channel_requests.PREFIX,
    target=channel_requests.target,
    limits=channel_requests.limits,
    lane=_lane,
    expires=_expires,
    schedule=Schedule((1, 2, 5, 10, 30), repeat_last=True),
    request=_request,
    read=channel_requests.read,
    report=_report,
    not_replayable="A message belongs to a conversation, which has gone on since.",
)
