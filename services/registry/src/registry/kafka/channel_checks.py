"""What a platform says of a channel: are the credentials good, and does it know where to send what happens?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from channels.descriptor import Check, Descriptor, Found
from contracts.registry import Channel
from contracts.replies import CallReply
from registry import errors
from registry.entities import Stored, data_of
from registry.kafka.dispatcher_calls import DispatcherCalls
from registry.resources import channels
from registry.resources.channels import NewChannel
from registry.site import Site
from registry.values import channel_credentials
from registry.writing.answers import Answer, refusal
from registry.writing.unit import Unit
from registry.writing.writes import FollowUp, Work, Writes
from servicekit.credentials.sealing import SealError
from servicekit.web.problems import ProblemError

NOT_PUBLIC = "The webhook was not set: platforms call https only, and SWITCHHOOK_PUBLIC_URL is not. "
OURS = "This channel is ours: there is nothing to check."
NOT_WANTED = "The webhook was not set, as asked."


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What the platform told; None when it was not reached. `webhook_set`: it knows where to send what happens."""

    found: Found | None = None
    webhook_set: bool = False
    hints: tuple[str, ...] = ()


class Unreached(Exception):
    """There is no word of the platform; the text says why."""


class ChannelChecks:
    """One per process."""

    def __init__(self, writes: Writes, calls: DispatcherCalls, site: Site) -> None:
        self._writes, self._calls, self._site = writes, calls, site

    def after_create(self, new: NewChannel) -> FollowUp:
        """Ask the platform about a channel just made; one that it refuses is taken away again."""

        async def then(answer: Answer) -> Answer:
            if self._site.connectors[new.type].in_house:
                return answer
            channel = Channel.model_validate(answer.body)
            try:
                result = await self.check(channel, set_webhook=new.set_webhook)
            except ProblemError as problem:
                await self._writes.run(channel.project_id, _dropping(channel.id))
                return refusal(problem)
            return Answer(answer.status, answer.body | shown(result), answer.etag)

        return then

    async def check(self, channel: Channel, *, set_webhook: bool = True) -> CheckResult:
        """Raises ProblemError 422 in the platform's own words."""
        connector = self._site.connectors.get(channel.type)
        if connector is None:
            return CheckResult(hints=(f"Channels of type {channel.type} are not offered here any more.",))
        if connector.in_house:
            return CheckResult(hints=(OURS,))
        descriptor = connector.descriptor
        channel, result = await self._moved_here(channel), CheckResult()
        try:
            for check in descriptor.checks:
                if check.subscribes and (hint := self._not_now(descriptor, wanted=set_webhook)):
                    return replace(result, hints=(hint,))
                result = await self._made(channel, check, result)
        except Unreached as error:
            return replace(result, hints=(f"{error} POST /v1/channels/{channel.id}/check asks again.",))
        by_hand = not result.webhook_set and descriptor.by_hand
        return replace(result, hints=(by_hand,)) if by_hand else result

    async def _moved_here(self, channel: Channel) -> Channel:
        """The channel with its inbound URL at our public URL, which may be another one than when it was made."""
        if channel.credentials is None:
            return channel  # As it was just shown to who made it, here.
        try:
            if channel_credentials.here(self._site, channel) is channel:
                return channel
        except SealError:
            return channel  # The dispatcher says what it cannot open.
        moved = await self._writes.run(channel.project_id, _moving(channel.id))
        return Channel.model_validate(moved.body)

    def _not_now(self, descriptor: Descriptor, *, wanted: bool) -> str | None:
        """Why the platform is not told where to send what happens."""
        if not wanted:
            return NOT_WANTED
        return None if self._site.is_public else NOT_PUBLIC + descriptor.by_hand

    async def _made(self, channel: Channel, check: Check, result: CheckResult) -> CheckResult:
        """The result after one more check. Raises ProblemError 422 when it is refused, Unreached when it was not made."""
        known = result.found or Found(channel.external_id, channel.url)
        reply = await self._calls.call_platform(channel, check.method, dict(check.params(known)))
        found = check.read(_answered(reply), known)
        if found != result.found:
            await self._writes.run(channel.project_id, _describing(channel.id, found))
        if check.subscribes:
            await self._writes.run(channel.project_id, _noting_told(channel.id))
        return CheckResult(found, result.webhook_set or check.subscribes)


def shown(result: CheckResult) -> dict[str, Any]:
    """As answers show it."""
    found = result.found or Found()
    known = {"external_id": found.external_id, "url": found.url}
    present = {name: value for name, value in known.items() if value is not None}
    return present | {"webhook_set": result.webhook_set, "hints": list(result.hints)}


def _answered(reply: CallReply | None) -> Any:
    """What the platform answered. Raises ProblemError 422 when it refused, Unreached when it was not asked."""
    if reply is None:
        raise Unreached("The platform was not asked: the dispatcher did not answer.")
    if reply.problems and reply.status is None:
        raise Unreached(f"The platform was not reached: {reply.problems[0]}")
    if reply.problems:
        raise errors.refused_by_platform(reply.problems[0])
    return reply.body


def _describing(id: str, found: Found) -> Work:
    async def work(unit: Unit) -> Answer:
        stored: Stored[Channel] = await unit.load(Channel, id, lock="FOR UPDATE")
        described = (stored.entity.external_id, stored.entity.url) == (found.external_id, found.url)
        if found.external_id is not None and (found.learned or not described):
            await channels.describe(unit, stored, found.external_id, found.url, found.learned)
        return Answer(200, published=unit.published)

    return work


def _moving(id: str) -> Work:
    async def work(unit: Unit) -> Answer:
        stored = await channels.move_here(unit, await unit.load(Channel, id, lock="FOR UPDATE"))
        return Answer(200, data_of(stored.entity), published=unit.published)

    return work


def _noting_told(id: str) -> Work:
    async def work(unit: Unit) -> Answer:
        stored = await unit.load(Channel, id, lock="FOR UPDATE")
        await unit.note(stored.entity, stored.extra | {channels.TOLD_URL: unit.site.public_url})
        return Answer(204)

    return work


def _dropping(id: str) -> Work:
    async def work(unit: Unit) -> Answer:
        await unit.drop((await unit.load(Channel, id, lock="FOR UPDATE")).entity)
        return Answer(204, published=unit.published)

    return work
