"""What the engine does of an event before the interpreter steps (turn.kinds), undone where the turn is deferred."""

from __future__ import annotations

from flow_engine.state.work import Work
from flow_engine.turn.event import InboundEvent
from flowlang.running.copies import copy_conversation


class Undo:
    """Made before the event is begun; calling it puts its conversation and the batch's work back.

    It keeps the fields that kinds change, since it is made for each event: a copy of all costs ten times as much.
    """

    __slots__ = ("_contacts", "_event", "_fields", "_last_user_at", "_links", "_timer", "_work")

    def __init__(self, event: InboundEvent, work: Work) -> None:
        loaded = event.loaded
        self._event, self._work = event, work
        told = loaded.conversation
        self._fields = (told.contact_id, told.chat, told.reachable, told.last_message)
        self._last_user_at, self._links = loaded.last_user_at, loaded.listeners.used_links
        self._contacts = len(work.new_contacts)
        self._timer = work.timer(event.body.timer_id) if event.kind == "timer" else None

    def __call__(self) -> None:
        loaded, work = self._event.loaded, self._work
        conversation = copy_conversation(loaded.conversation)  # The turn is being made of the other one.
        conversation.contact_id, conversation.chat, conversation.reachable, conversation.last_message = self._fields
        loaded.conversation = conversation
        loaded.last_user_at, loaded.listeners.used_links = self._last_user_at, self._links
        while len(work.new_contacts) > self._contacts:
            work.new_contacts.popitem()
        if self._timer is not None:
            work.put_back(self._event.body.timer_id, self._timer)
