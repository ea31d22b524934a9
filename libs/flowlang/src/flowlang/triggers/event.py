"""`event`: something has happened to the person or the conversation that the bot tells the outside of, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from flowlang.building.compiler import Compiler
from flowlang.triggers.base import Arrival, Matcher, Precedence, TriggerModel

EventName = Literal[
    "bot.subscribed", "bot.unsubscribed", "bot.blocked", "contact.created", "contact.updated", "tag.added", "tag.removed",
    "flag.assigned", "flag.removed", "live_chat.closed", "message.failed", "redirect.followed", "webhook.sent",
    "delivery.exhausted", "flow.completed", "flow.failed", "session.expired",
]  # fmt: skip
"""Of contracts.event_types: those of a conversation of which a flow could make something. Messages have triggers of their own,
and while agents answer no flow begins."""


class EventTrigger(TriggerModel):
    """Something has happened: a tag was added, agents closed the chat, a webhook of a step was answered. The flow, and `when`, see its data as `event`: `event.tag == 'vip'`."""

    TAKES: ClassVar = ("event",)
    PRECEDENCE: ClassVar = Precedence.EVENT
    IS_BOUNDED: ClassVar = True

    type: Literal["event"]
    name: EventName
    """What has happened, as [events](events.md) are called."""

    @staticmethod
    def names_in(arrival: Arrival) -> tuple[str, ...]:
        """Its type."""
        return (arrival.happening.data["type"],)

    def build(self, compiler: Compiler) -> Matcher:
        return _Event(self.name)


@dataclass(frozen=True, slots=True)
class _Event(Matcher):
    name: str

    def names(self) -> tuple[str, ...]:
        return (self.name,)
