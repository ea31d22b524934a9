"""From what a turn did to what leaves and what is saved: actions, events, replies, rows. No I/O.

Everything is written to the batch's Work only when the whole turn has been translated, so that a turn past a limit can be
thrown away and a failed one put in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson

from contracts.inbound import MessageReceived
from contracts.registry import ApiCall
from flow_engine.state.ids import timer_id
from flow_engine.state.json_text import encode
from flow_engine.state.rows import MessageRow, TimerRow
from flow_engine.turn.event import InboundEvent
from flow_engine.turn.outputs import Outputs, contact_view
from flowlang.clock import moment
from flowlang.model import Contact, Conversation, PatchContact

FindApi = Callable[[str, str], ApiCall | None]
"""(project id, name) -> the named API call."""


class TurnWriter:
    """Collects what one turn makes; `turn.effects` has a writer for each type of effect, which calls these methods.

    `said` are the messages to the person as contracts.replies.ChatMessage; `messages`, `timers`, `ended_timers` and `patches`
    are what Work takes; `outputs` has the records. `calls` are (id, kind, name) of requests to others. `tap` is the platform's
    id of a tap that nothing has answered yet; `runs` is how many commands the turn runs, and `run_hops` how far these are from
    their first cause. `own_events` are what it tells and flows of the bot listen to: {type, data}; `flows_listen` says
    whether they listen to anything of it.
    """

    def __init__(self, event: InboundEvent, outputs: Outputs, contact: Contact, find_api: FindApi) -> None:
        self.event, self.outputs, self.find_api = event, outputs, find_api
        self.conversation: Conversation = event.loaded.conversation
        self.said: list[dict[str, Any]] = []
        self.messages: list[MessageRow] = []
        self.timers: dict[str, TimerRow] = {}
        self.ended_timers: set[str] = set()
        self.patches: list[PatchContact] = []
        self.person = contact
        self.own_events: list[dict[str, Any]] = []
        self.flows_listen: bool = event.around.flows.listen_to("event")
        self.calls: list[tuple[str, str, str | None]] = []
        self.tap: str | None = event.body.callback_id if event.kind == "message" else None
        self.runs, self.run_hops = 0, outputs.hops
        self._moment: datetime = moment(outputs.now)
        self._place = self.conversation.version << 8
        self._seen_contact: Contact | None = None
        self._view = orjson.Fragment(b"null")
        shared: dict[str, Any] = {"event_id": event.id}
        if not event.is_of_agent:
            shared["bot"] = event.around.bot
            if not event.is_of_contact:
                shared["channel"], shared["conversation_id"] = event.around.channel, event.loaded.id
        outputs.share(shared, self.contact_view(contact) if contact.id else None)

    def person_said(self, body: MessageReceived, seq: int) -> None:
        """A person's message, for the chat log: after the bot's message `seq`, before what the bot says in this turn."""
        content = {
            "message_id": body.message_id,
            "type": body.type,
            "text": body.text,
            "payload": body.payload,
            "attachments": body.attachments,
        }
        self._log(seq, "person", self.event.uuid, {name: value for name, value in content.items() if value})

    def said_to_person(self, seq: int, id: str, content: dict[str, Any], sender: str) -> None:
        """The message `seq` of the bot, or of an agent, for the chat log."""
        self._log(seq, sender, id, content)

    def noted(self, seq: int, content: dict[str, Any]) -> None:
        """What an agent noted after the message `seq`, for the chat log."""
        self._log(seq, "note", self.event.uuid, content)

    @property
    def next_place(self) -> int:
        """The place that the next message of this turn would have in the chat log."""
        return self._place + len(self.messages)

    def _log(self, seq: int, sender: str, id: str, content: dict[str, Any]) -> None:
        place, bot = self._place + len(self.messages), self.conversation.bot_id
        self.messages.append(
            MessageRow(self.event.loaded.id, seq, place, sender, id, self._moment, encode(content), bot)
        )

    def action(self, kind: str, fields: dict[str, Any], *, id: str | None = None) -> None:
        """Something for the dispatcher to do; `fields` are those of its kind in contracts.actions. Raises TooLarge."""
        conversation = self.conversation
        self.outputs.action(
            id or self.outputs.new_id(), kind, conversation.bot_id, conversation.contact_id, fields
        )  # fmt: skip

    def event_for_outside(self, type: str, data: dict[str, Any], contact: Contact | None = None) -> None:
        """An event of contracts.events. `contact`: the person as of that moment, in place of the turn's result."""
        self.outputs.event(type, data, contact=self.contact_view(contact) if contact and contact.id else None)

    def contact_view(self, contact: Contact) -> orjson.Fragment:
        """The contact as events show it; most effects of a turn see the same one."""
        if contact is not self._seen_contact:
            self._seen_contact, self._view = contact, contact_view(contact, self.conversation.last_message)
        return self._view

    def place_of_person(self) -> dict[str, Any]:
        """The fields of an action or inbound record that say where the person is."""
        return {"channel_id": self.conversation.channel_id, "peer_id": self.conversation.peer_id}

    def start_timer(self, wait: str, due: str) -> None:
        """The engine's own event `timer` comes at `due`, unless the wait ends before."""
        conversation = self.conversation
        id, part = timer_id(conversation.key, wait), self.event.arrived.record.partition
        self.timers[id] = TimerRow(id, part, conversation.key, conversation.project_id, wait, moment(due))

    def end_timer(self, wait: str) -> None:
        """The wait is over."""
        id = timer_id(self.conversation.key, wait)
        self.timers.pop(id, None)
        self.ended_timers.add(id)
