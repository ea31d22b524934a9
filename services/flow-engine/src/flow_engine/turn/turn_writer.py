"""From what a turn did to what leaves and what is saved: actions, events, replies, rows. No I/O.

Everything is written to the batch's Work only when the whole turn has been translated, so that a turn past a limit can be
thrown away and a failed one put in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from contracts.ids import NOBODY, conversation_key, derived_id
from contracts.inbound import MessageReceived
from contracts.people import Person
from flow_engine.state.json_text import encode
from flow_engine.state.limits import MOST_EFFECTS, TooLarge
from flow_engine.state.work import timer_id
from flow_engine.turn.outputs import Outputs, contact_view, message_deadline
from flow_engine.turn.surroundings import IN_HOUSE

if TYPE_CHECKING:
    from flow_engine.turn.turns import Event

from flowlang import model
from flowlang.clock import moment
from flowlang.model import Contact, Turn

FindApi = Callable[[str, str], Any]
"""(project id, name) -> contracts.registry.ApiCall, or None."""


class TurnWriter:
    """Translates the effects of one turn.

    `said` are the bot's messages as contracts.replies.ChatMessage; `messages`, `timers`, `ended_timers` and `patches` are
    what Work takes.
    """

    def __init__(self, event: Event, outputs: Outputs, contact: Contact, find_api: FindApi) -> None:
        arrived, around, talk = event.arrived, event.around, event.talk
        self.talk, self.outputs = talk, outputs
        self.said: list[dict[str, Any]] = []
        self.messages: list[tuple[Any, ...]] = []
        self.timers: dict[str, tuple[Any, ...]] = {}
        self.ended_timers: set[str] = set()
        self.patches: list[model.PatchContact] = []
        self.moment: datetime = moment(outputs.now)
        self._arrived, self._find_api, self._event_uuid = arrived, find_api, event.uuid
        self._tap: str | None = getattr(arrived.body, "callback_id", None)
        conversation = talk.conversation
        self._place = conversation.version << 8
        self._seen_contact: Contact | None = None
        self._view = orjson.Fragment(b"null")
        outputs.share(
            {
                "event_id": arrived.event_id,
                "bot": around.bot,
                "channel": around.channel,
                "conversation_id": talk.id,
            },
            self._view_of(contact) if contact.id else None,
        )

    def write(self, turn: Turn) -> None:
        """Translate all effects. Raises TooLarge past a limit."""
        if len(turn.effects) > MOST_EFFECTS:
            raise TooLarge(f"{len(turn.effects)} effects, more than {MOST_EFFECTS}")
        for effect in turn.effects:
            _WRITE[type(effect)](self, effect)
        if self._tap:
            self._acknowledge(self._tap)

    def person_said(self, body: MessageReceived, seq: int) -> None:
        """A person's message, for the chat log: after the bot's message `seq`, before what the bot says in this turn."""
        content = {
            "message_id": body.message_id,
            "type": body.type,
            "text": body.text,
            "payload": body.payload,
            "attachments": body.attachments,
        }
        present = {name: value for name, value in content.items() if value}
        self._log(seq, "person", self._event_uuid, present)

    def _log(self, seq: int, sender: str, id: str, content: dict[str, Any]) -> None:
        place = self._place + len(self.messages)
        self.messages.append((self.talk.id, seq, place, sender, id, self.moment, encode(content)))

    def say(self, effect: model.Say) -> None:
        id = self.outputs.new_id()
        content: dict[str, Any] = {"text": effect.text}
        if effect.buttons:
            content["buttons"] = effect.buttons
        if effect.quick_replies:
            content["quick_replies"] = effect.quick_replies
        self.said.append({"seq": effect.seq, "id": id, "at": self.outputs.now, "content": content})
        conversation = self.talk.conversation
        if conversation.channel_id == NOBODY:
            return
        self._log(effect.seq, "bot", id, content)
        if conversation.channel_type in IN_HOUSE:
            self.outputs.event("message.sent", {"message": {"id": id, "seq": effect.seq, **content}})
        else:
            self._send(id, effect.seq, content)

    def _send(self, id: str, seq: int, content: dict[str, Any]) -> None:
        tap, self._tap = self._tap, None
        fields = self._place_of_person() | {
            "channel_type": self.talk.conversation.channel_type,
            "seq": seq,
            "content": content,
            "expires_at": message_deadline(self.outputs.now),
        }
        self._action(id, "send_message", fields | ({"callback_id": tap} if tap else {}))

    def _view_of(self, contact: Contact) -> orjson.Fragment:
        """The contact as events show it; most effects of a turn see the same one."""
        if contact is not self._seen_contact:
            self._seen_contact, self._view = contact, contact_view(contact, self.talk.conversation.last_message)
        return self._view

    def _acknowledge(self, tap: str) -> None:
        conversation = self.talk.conversation
        if conversation.channel_type not in IN_HOUSE:
            fields = {
                "channel_id": conversation.channel_id,
                "channel_type": conversation.channel_type,
                "callback_id": tap,
            }
            self._action(self.outputs.new_id(), "acknowledge_tap", fields)

    def _place_of_person(self) -> dict[str, Any]:
        return {"channel_id": self.talk.conversation.channel_id, "peer_id": self.talk.conversation.peer_id}

    def _action(self, id: str, kind: str, fields: dict[str, Any]) -> None:
        conversation = self.talk.conversation
        self.outputs.action(id, kind, conversation.bot_id, conversation.contact_id, fields)

    def call(self, effect: model.CallApi) -> None:
        id = self.outputs.new_id()
        api = self._find_api(self.talk.conversation.project_id, effect.api)
        if api is None:
            self._no_such_api(id, effect)
            return
        fields = {"api_call_id": api.id, "params": effect.params, "wait": effect.wait}
        self._action(id, "call_api", fields | self._place_of_person())

    def _no_such_api(self, id: str, effect: model.CallApi) -> None:
        """The answer that a call without a target gets, by the way that all answers take."""
        conversation = self.talk.conversation
        body = {
            "kind": "call_result",
            "bot_id": conversation.bot_id,
            **self._place_of_person(),
            "action_id": id,
            "wait": effect.wait,
            "outcome": "error",
            "error": {"type": "unknown-api", "detail": f"There is no API call named {effect.api[:100]!r}."},
        }
        self.outputs.inbound(derived_id(id, "result"), conversation.key, body)

    def post(self, effect: model.PostWebhook) -> None:
        contact = self._view_of(effect.contact)
        fields = {
            "url": effect.url,
            "format": effect.format,
            "title": effect.title,
            "timestamp": self.outputs.now,
            "data": {**self.outputs.shared, "contact": contact, "flow": effect.flow, "node": effect.node},
        }
        self._action(self.outputs.new_id(), "post_webhook", fields)

    def emit(self, effect: model.EmitEvent) -> None:
        data = dict(effect.data)
        if effect.flow:
            data["flow"] = effect.flow
        if effect.node:
            data["node"] = effect.node
        snapshot = self._view_of(effect.contact) if effect.contact and effect.contact.id else None
        self.outputs.event(effect.type, data, contact=snapshot)

    def patch(self, effect: model.PatchContact) -> None:
        self.patches.append(effect)

    def start_timer(self, effect: model.StartTimer) -> None:
        conversation = self.talk.conversation
        id = timer_id(conversation.key, effect.wait)
        part = self._arrived.record.partition
        self.timers[id] = (id, part, conversation.key, conversation.project_id, effect.wait, moment(effect.due))

    def cancel_timer(self, effect: model.CancelTimer) -> None:
        id = timer_id(self.talk.conversation.key, effect.wait)
        self.timers.pop(id, None)
        self.ended_timers.add(id)

    def command(self, effect: model.RunCommand) -> None:
        """B4: an inbound record for the other conversation; without a person, for this one."""
        conversation = self.talk.conversation
        id = derived_id(self._arrived.event_id, self.outputs.new_id())
        body: dict[str, Any] = {"kind": "command", "bot_id": conversation.bot_id, "command": effect.command}
        body["content"] = effect.content
        try:
            key, named = addressed(conversation, effect.person)
        except ValueError as error:
            problem = {"type": "person-not-understood", "detail": str(error)[:500], "command": effect.command[:200]}
            self.outputs.event("flow.failed", {"error": problem})
            return
        self.outputs.inbound(id, key, body | named)


def addressed(conversation: model.Conversation, person: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """(the record's key, the fields of its body) for another person of the bot; nobody named: this one.

    Raises ValueError when the person is named in no way there is.
    """
    if not person or person == {"contact_id": conversation.contact_id}:
        here = {"channel_id": conversation.channel_id, "peer_id": conversation.peer_id}
        return conversation.key, here | {"channel_type": conversation.channel_type}
    channel = person.get("channel_id") or conversation.channel_id
    if person.get("peer_id") and channel != NOBODY:
        there = {"channel_id": channel, "peer_id": str(person["peer_id"])}
        return conversation_key(conversation.bot_id, **there), there
    named = Person.model_validate(person)
    fields = {"channel_id": NOBODY, "peer_id": NOBODY, "person": named.model_dump(exclude_none=True)}
    return f"{conversation.bot_id}/{NOBODY}/{named.named()}", fields


_WRITE: dict[type, Callable[[TurnWriter, Any], None]] = {
    model.Say: TurnWriter.say,
    model.CallApi: TurnWriter.call,
    model.PostWebhook: TurnWriter.post,
    model.EmitEvent: TurnWriter.emit,
    model.PatchContact: TurnWriter.patch,
    model.StartTimer: TurnWriter.start_timer,
    model.CancelTimer: TurnWriter.cancel_timer,
    model.RunCommand: TurnWriter.command,
}
