"""Asks the dispatcher to make an outgoing call, and waits for what came back.

The registry makes none itself: one service holds the guard against addresses inside the network.
"""

from __future__ import annotations

import asyncio
from typing import Any, Literal, Protocol, TypeAlias

from contracts import cloudevents
from contracts.actions import TOPIC, Action, AskModel, CallApi, ChannelCall
from contracts.ids import NOBODY, uuid7
from contracts.inbound import ReplyTo
from contracts.registry import ApiCall, Channel
from contracts.replies import CallReply
from servicekit.kafka.publisher import NotAcknowledged, Publisher
from servicekit.kafka.records import Outgoing
from servicekit.observability.telemetry import traced

SOURCE = "/registry"
GRACE_SECONDS = 5.0
"""For the way to the dispatcher and back, beside the call's own time-out."""
PLATFORM_SECONDS = 10.0
HELLO = "Say hello."
"""What a model is asked in a test that says nothing else."""
Call: TypeAlias = type[CallApi] | type[AskModel] | type[ChannelCall]


class Asker(Protocol):
    """The part of servicekit.kafka.asker that is used here."""

    async def wait_ready(self) -> None:
        """Return once replies would be seen."""

    def ask(self, until: Literal["verdict", "rest"]) -> tuple[ReplyTo, asyncio.Future[Any]]:
        """An address for one reply, and the reply to come."""
        ...


class DispatcherCalls:
    """One per process. None for an answer: the dispatcher, or Kafka, did not answer in time."""

    def __init__(self, asker: Asker, publisher: Publisher) -> None:
        self._asker, self._publisher = asker, publisher

    async def test_api_call(self, api_call: ApiCall, params: dict[str, Any]) -> CallReply | None:
        """Call it once with these parameters, or ask the model `params["input"]`; no conversation hears of it."""
        place = {"api_call_id": api_call.id, "wait": "", "channel_id": NOBODY, "peer_id": NOBODY}
        timeout = api_call.timeout_seconds + GRACE_SECONDS
        if api_call.kind == "model":
            question = {"role": "user", "text": str(params.get("input") or HELLO)}
            fields = place | {"messages": [question], "seconds": api_call.timeout_seconds}
            return await self._ask(AskModel, api_call.project_id, NOBODY, fields, timeout)
        return await self._ask(CallApi, api_call.project_id, NOBODY, place | {"params": params}, timeout)

    async def call_platform(self, channel: Channel, method: str, params: dict[str, Any]) -> CallReply | None:
        """Call a method of the channel's platform with these credentials of the channel, or later ones."""
        version = channel.credentials.version if channel.credentials else 0
        fields = {"channel_id": channel.id, "method": method, "params": params, "credentials_version": version}
        return await self._ask(
            ChannelCall, channel.project_id, channel.bot_id, fields, PLATFORM_SECONDS + GRACE_SECONDS
        )

    async def _ask(
        self,
        action: Call,
        project_id: str,
        bot_id: str,
        fields: dict[str, Any],
        timeout: float,
    ) -> CallReply | None:
        now = cloudevents.now_text()
        common = {
            "id": str(uuid7()),
            "project_id": project_id,
            "bot_id": bot_id,
            "conversation": NOBODY,
            "day": now[:10],
            "created_at": now,
        }
        try:
            async with asyncio.timeout(timeout):
                await self._asker.wait_ready()
                return await self._answer(action, common | fields)
        except (NotAcknowledged, TimeoutError):
            return None

    async def _answer(self, action: Call, fields: dict[str, Any]) -> CallReply:
        reply_to, answer = self._asker.ask("rest")
        try:
            made = action.model_validate(fields | {"reply_to": reply_to})
            with traced("registry.call", None, action=made.id, project=made.project_id) as span:
                await self._publisher.publish(_record(made, span.traceparent))
                reply: CallReply = await answer
            return reply
        finally:
            answer.cancel()


def _record(action: Action, traceparent: str) -> Outgoing:
    headers = cloudevents.headers(
        id=action.id,
        type=f"action.{action.kind}",
        source=SOURCE,
        time=action.created_at,
        project=action.project_id,
        traceparent=traceparent,
    )
    # Any partition will do: no order among test calls.
    return Outgoing(TOPIC.name, action.id.encode(), action.encode(), headers)
