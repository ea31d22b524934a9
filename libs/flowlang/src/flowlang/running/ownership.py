"""Who answers the person: the bot, or people. Each change has a number, and is made by one event, in the conversation's order.

The bot hands over by a `live_chat` node (`queued`), an agent takes over whoever answers, and both give back. While people
answer, the bot is silent: a message is theirs, a start is refused, and what a session waits for (an answer to a call, a timer, a
signal) is kept and taken when the bot has the conversation again. No session ends meanwhile; one whose time is over by then ends first.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal, Protocol

from flowlang import clock
from flowlang.model import (
    CancelTimer,
    Contact,
    Conversation,
    Effect,
    EmitEvent,
    Happening,
    Refused,
    RunEnd,
    StartTimer,
    SupersedeMessages,
)
from flowlang.problems import NodeError

BOT, QUEUED = "bot", "queued"
WITH_PEOPLE = Refused(
    "with-an-agent", 409,
    "Agents answer this person now: nothing can be started until the conversation is the bot's again.",
)  # fmt: skip


class Changing(Protocol):
    """What a change needs of the turn (flowlang.running.run.Run)."""

    conversation: Conversation
    happening: Happening
    effects: list[Effect]
    rests: list[RunEnd]
    nobody: bool

    @property
    def now(self) -> str:
        """The event's time."""

    @property
    def next_seq(self) -> int:
        """The number that the next message will have."""

    @property
    def contact(self) -> Contact:
        """The person as of now."""

    def token(self) -> str:
        """A fresh one."""

    def emit_event(self, type: str, data: dict[str, Any]) -> None:
        """Tell the outside, in the name of the present node."""


def with_people(conversation: Conversation) -> bool:
    """Whether agents answer, or are waited for."""
    return conversation.owner != BOT


def has_agent(conversation: Conversation) -> bool:
    """Whether the conversation is some agent's."""
    return conversation.owner not in (BOT, QUEUED)


def to_queue(run: Changing, queue: str | None, timeout: timedelta | None) -> None:
    """The bot hands over, and has it again when no agent has answered within `timeout`. What it said before is still sent.
    Raises NodeError past the limit of a turn, and where a generated URL runs for nobody."""
    if run.nobody:
        raise NodeError("no-person", "a generated URL without a person has nobody to talk to")
    run.emit_event("live_chat.opened", {"by": "flow"} | ({"queue": queue} if queue else {}))
    _leave_messages_to_people(run)
    _belongs(run.conversation, QUEUED, None, run.now)
    run.conversation.queue = queue
    if timeout is not None:
        run.conversation.queue_timer = run.token()
        run.effects.append(StartTimer(run.conversation.queue_timer, clock.after(run.now, timeout)))


def to_agent(run: Changing, agent: dict[str, str]) -> None:
    """It is this agent's."""
    opened = not with_people(run.conversation)
    _leave_messages_to_people(run)
    _belongs(run.conversation, agent["id"], agent["name"], run.now)
    run.effects.append(SupersedeMessages())
    if opened:
        run.effects.append(EmitEvent("live_chat.opened", {"by": "agent", "agent": agent}, contact=run.contact))


def back_to_queue(run: Changing) -> None:
    """Its agent leaves it to the others."""
    _belongs(run.conversation, QUEUED, None, run.now)
    run.effects.append(SupersedeMessages())


def to_bot(run: Changing, reason: Literal["released", "timeout"], agent: dict[str, str] | None = None) -> None:
    """The bot answers again."""
    answered(run)
    if reason == "released":
        run.effects.append(SupersedeMessages())
    run.effects.append(closed(run.conversation, run.contact, run.now, reason, agent))


def closed(
    conversation: Conversation,
    contact: Contact,
    now: str,
    reason: Literal["released", "timeout"],
    agent: dict[str, str] | None = None,
) -> EmitEvent:
    """The bot answers again; what tells of it."""
    _belongs(conversation, BOT, None, now)
    conversation.queue, conversation.queue_timer, conversation.unread = None, None, 0
    told: dict[str, Any] = {"reason": reason} | ({"agent": agent} if agent else {})
    return EmitEvent("live_chat.closed", told, contact=contact)


def answered(run: Changing) -> None:
    """An agent is there, for as long as it takes: the bot does not have it back by time."""
    token, run.conversation.queue_timer = run.conversation.queue_timer, None
    if token is not None and run.happening.data.get("wait") != token:
        run.effects.append(CancelTimer(token))


def _leave_messages_to_people(run: Changing) -> None:
    """What the person wrote while a call was in flight is in the chat log: the flow does not come back to it later."""
    queued = run.conversation.queued
    run.conversation.queued = [event for event in queued if event["kind"] != "message"]
    run.rests += [
        RunEnd(event["id"], "completed", since_seq=run.next_seq) for event in queued if event["kind"] == "message"
    ]


def _belongs(conversation: Conversation, owner: str, name: str | None, now: str) -> None:
    conversation.owner, conversation.owner_name, conversation.owner_since = owner, name, now
    conversation.owner_epoch += 1
