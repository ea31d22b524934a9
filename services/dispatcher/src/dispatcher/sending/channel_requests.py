"""Deliveries to channels: the platform's plan as requests that follow from each other, and what its answers mean here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from channels.port import Account, Platform
from channels.reading import Meaning, Scope
from channels.reading import Reading as Told
from channels.sending import Plan, Refusal, Step
from dispatcher.errors import ChannelPaused, NoRequest
from dispatcher.model.catalogue import Catalogue
from dispatcher.model.delivery import FEW, Delivery, Limits, SendContext
from dispatcher.requests import ANSWER_LIMIT, FINDING_SECONDS, RATE_LIMITED, Reading, Request
from servicekit.http_client.guarded_http import Answer

PREFIX = "channel"
CHANNEL_TIMEOUT = 15.0
"""Seconds for one request."""
LIMITED_SECONDS = 1.0
"""How long to wait when a platform says that it was too much, and not for how long."""
LIMITED_MOST_SECONDS = 3600.0
"""And how long at most before it is asked again."""
VERDICTS: dict[Meaning, Literal["succeeded", "retry", "exhausted"]] = {
    "sent": "succeeded",
    "failed": "retry",
    "limited": "retry",
    "moved": "retry",
    "unreachable": "exhausted",
    "credentials": "retry",
    "refused": "exhausted",
}


def target(action: Any) -> str:
    """The channel that an action is for."""
    return str(action.channel_id)


def limits(target: str, catalogue: Catalogue) -> Limits:
    """What a channel takes."""
    known = catalogue.known_channel(target)
    connector = catalogue.connectors.get(known.type) if known else None
    if connector is None:
        return FEW
    rates = connector.descriptor.rates
    return Limits(rates.in_flight, rates.bot.per_second if rates.bot else None)


def platform_of(delivery: Delivery, context: SendContext) -> tuple[Platform, Account]:
    """The channel's platform and account. Raises NoRequest when nothing can be sent there, NotYetKnown."""
    entity = context.catalogue.channel(delivery.content().channel_id, delivery.project_id)
    connector = context.catalogue.connectors.get(entity.type)
    if connector is None or connector.platform is None:
        raise NoRequest("exhausted", "no-such-channel", f"Nothing is sent to channels of type {entity.type}.")
    return connector.platform, Account(entity, context.catalogue.credentials(entity))


def active(delivery: Delivery, context: SendContext) -> tuple[Platform, Account]:
    """The same of a channel that is not paused. Raises ChannelPaused, too."""
    platform, account = platform_of(delivery, context)
    if account.channel.state == "paused":
        raise ChannelPaused(f"The channel {account.channel.name!r} is paused.")
    return platform, account


def of_plan(plan: Plan | Refusal) -> Request:
    """The plan's first request, with the courtesies before it and the others following. Raises NoRequest for a refusal."""
    if isinstance(plan, Refusal):
        raise NoRequest("exhausted", plan.code, plan.detail)
    steps = plan.steps
    if steps[0].role != "courtesy":
        return _request(steps, ())
    needed = [step for step in steps if step.role != "courtesy"]
    return _request(needed, ())._replace(before=tuple(_request((each,), ()) for each in steps if each not in needed))


def _request(steps: Sequence[Step], done: tuple[Told, ...]) -> Request:
    step = steps[0]
    method, url, headers, body, shown_url, shown_headers, shown_body, secrets, answer_limit = step.make(done)
    then = (lambda reading: _request(steps[1:], (*done, reading.told))) if len(steps) > 1 else None
    return Request(
        method, url, headers, body, CHANNEL_TIMEOUT, shown_url, shown_headers, shown_body, secrets,
        step.name, (), then, answer_limit or ANSWER_LIMIT,
    )  # fmt: skip


def read(delivery: Delivery, request: Request, answer: Answer, context: SendContext) -> Reading:
    """What the platform's answer means."""
    platform, account = platform_of(delivery, context)
    reading = meaning_of(platform.read(request.step, answer.status, answer.headers, answer.body))
    if reading.pause_reason == "unauthorized" and account.channel.state == "paused":
        reading.pause = reading.pause_reason = None  # That is known: the request was on its way.
    return reading


def meaning_of(told: Told) -> Reading:
    """What a platform's meaning is to a delivery: tried again, given up, and who has to wait for what."""
    reading = Reading(
        VERDICTS[told.meaning],
        told.code,
        told.detail,
        destination_failed=not told.healthy,
        answer=told.answer,
        provider_message_id=told.provider_message_id,
        unreachable=told.unreachable,
        moved_to=told.moved_to,
        told=told,
    )
    if told.meaning == "limited":
        _wait(reading, min(told.retry_after or LIMITED_SECONDS, LIMITED_MOST_SECONDS), told.scope)
    elif told.meaning == "credentials":
        reading.pause, reading.pause_reason = FINDING_SECONDS, "unauthorized"
    return reading


def _wait(reading: Reading, seconds: float, scope: Scope) -> None:
    """Who waits is who the platform names: the bot's other people have done nothing."""
    reading.retry_after = seconds
    if scope == "bot":
        reading.pause, reading.pause_reason = seconds, RATE_LIMITED
    else:
        reading.chat_waits, reading.chat_or_bot = seconds, scope == "unsaid"


def moved(delivery: Delivery, peer_id: str) -> Any:
    """The action for where the chat went."""
    return delivery.content().model_copy(update={"peer_id": peer_id})
