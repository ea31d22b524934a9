"""What a platform says of a channel: are the credentials good, and does it know where to send what happens?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from contracts.registry import Channel
from contracts.replies import CallReply
from registry import errors
from registry.entities import Stored
from registry.kafka.dispatcher_calls import DispatcherCalls
from registry.resources import channels
from registry.resources.channels import NewChannel
from registry.site import Site
from registry.writing.answers import Answer, refusal
from registry.writing.unit import Unit
from registry.writing.writes import FollowUp, Writes
from servicekit.web.problems import ProblemError

UPDATES = ("message", "callback_query", "my_chat_member")
"""What we want of Telegram; it leaves my_chat_member out unless asked."""
NOT_PUBLIC = (
    "The webhook was not set: platforms call https only, and SWITCHHOOK_PUBLIC_URL is not. Call inbound_url yourself, "
    "with the secret_token in X-Telegram-Bot-Api-Secret-Token."
)
NOT_WANTED = "The webhook was not set, as asked."


@dataclass(frozen=True, slots=True)
class Finding:
    """`external_id` and `url` as the platform gave them; None when it was not reached."""

    external_id: str | None = None
    url: str | None = None
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
            if new.type != "telegram":
                return answer
            channel = Channel.model_validate(answer.body)
            try:
                finding = await self.check(channel, set_webhook=new.set_webhook)
            except ProblemError as problem:
                await self._writes.run(channel.project_id, _dropping(channel.id))
                return refusal(problem)
            return Answer(answer.status, answer.body | shown(finding), answer.etag)

        return then

    async def check(self, channel: Channel, *, set_webhook: bool = True) -> Finding:
        """Raises ProblemError 422 in the platform's own words."""
        finding = Finding()
        try:
            finding = await self._described(channel)
            return replace(finding, **await self._webhook(channel, wanted=set_webhook))
        except Unreached as error:
            return replace(finding, hints=(f"{error} POST /v1/channels/{channel.id}/check asks again.",))

    async def _described(self, channel: Channel) -> Finding:
        me = await self._call(channel, "getMe", {})
        url = f"https://t.me/{me['username']}" if me.get("username") else None
        finding = Finding(external_id=str(me.get("id", channel.external_id)), url=url)
        await self._writes.run(channel.project_id, _describing(channel.id, finding))
        return finding

    async def _webhook(self, channel: Channel, *, wanted: bool) -> dict[str, Any]:
        if not wanted or not self._site.is_public:
            return {"hints": (NOT_PUBLIC if wanted else NOT_WANTED,)}
        await self._call(channel, "setWebhook", {"allowed_updates": list(UPDATES)})
        return {"webhook_set": True}

    async def _call(self, channel: Channel, method: str, params: dict[str, Any]) -> dict[str, Any]:
        reply = await self._calls.call_platform(channel, method, params)
        if reply is None:
            raise Unreached("The platform was not asked: the dispatcher did not answer.")
        return _result(reply)


def shown(finding: Finding) -> dict[str, Any]:
    """As answers show it."""
    known = {"external_id": finding.external_id, "url": finding.url}
    present = {name: value for name, value in known.items() if value is not None}
    return present | {"webhook_set": finding.webhook_set, "hints": list(finding.hints)}


def _result(reply: CallReply) -> dict[str, Any]:
    """What the method gave. Raises ProblemError 422 when the platform refused, Unreached when it was not asked."""
    if reply.problems and reply.status is None:
        raise Unreached(f"The platform was not reached: {reply.problems[0]}")
    if reply.problems:
        raise errors.refused_by_platform(reply.problems[0])
    result = reply.body.get("result") if isinstance(reply.body, dict) else None
    return result if isinstance(result, dict) else {}


def _describing(id: str, finding: Finding) -> Any:
    async def work(unit: Unit) -> Answer:
        stored: Stored[Channel] = await unit.load(Channel, id, lock="FOR UPDATE")
        described = (stored.entity.external_id, stored.entity.url) == (finding.external_id, finding.url)
        if not described and finding.external_id is not None:
            await channels.describe(unit, stored, finding.external_id, finding.url)
        return Answer(200, published=unit.published)

    return work


def _dropping(id: str) -> Any:
    async def work(unit: Unit) -> Answer:
        await unit.drop((await unit.load(Channel, id, lock="FOR UPDATE")).entity)
        return Answer(204, published=unit.published)

    return work
