"""One event applied to its conversation: meet the person, step the interpreter, run code nodes, keep what came of it.

No I/O but the sandbox's: all rows were loaded before, all that changes goes into the batch's Work.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, NamedTuple

from contracts import inbound
from flow_engine.batch.decoding import Arrived
from flow_engine.state.limits import TooLarge, check_contact, encoded_state
from flow_engine.state.patches import patched
from flow_engine.state.seen import remember
from flow_engine.state.work import Outcome, Talk, Work, as_uuid
from flow_engine.turn import answers, people
from flow_engine.turn.event_log import logged, note_ends
from flow_engine.turn.failed_turns import failed_turn, too_many_hops
from flow_engine.turn.happenings import happening
from flow_engine.turn.outputs import Outputs, time_text
from flow_engine.turn.sandbox import MakeUrl, Sandbox
from flow_engine.turn.surroundings import Catalogue, Surroundings
from flow_engine.turn.turn_writer import TurnWriter
from flowlang.clock import moment
from flowlang.model import Contact, Conversation, Effect, EmitEvent, Refused, Turn
from flowlang.running.interpreter import step
from servicekit.observability.telemetry import traced

MOST_HOPS = 16
MOST_CODE_RUNS = 8
"""Code nodes in one turn."""
TEXT_KEPT = 4096
"""Characters of a person's last message that the conversation remembers."""


class Event:
    """One record on its way through a turn."""

    __slots__ = ("around", "arrived", "body", "contact", "mark", "met", "now", "talk", "uuid")

    def __init__(self, arrived: Arrived, talk: Talk, contact: Contact, around: Surroundings, mark: bytes) -> None:
        self.arrived, self.talk, self.contact, self.around, self.mark = arrived, talk, contact, around, mark
        self.body: Any = arrived.body
        self.uuid = as_uuid(arrived.event_id)
        self.met: tuple[Conversation, list[Effect]] = (talk.conversation, [])
        """The conversation once the person was met, and what that causes: holds even if the flow fails."""
        self.now = max(time_text(arrived.record.timestamp), talk.conversation.last_at or "")

    @property
    def is_url(self) -> bool:
        return bool(self.body.kind == "url")


class Before(NamedTuple):
    """What is kept of a conversation as it was before a turn."""

    version: int
    next_seq: int


class Turns:
    """Applies events to the conversations of one batch."""

    def __init__(self, work: Work, catalogue: Catalogue, sandbox: Sandbox) -> None:
        self._work, self._catalogue, self._sandbox = work, catalogue, sandbox

    async def apply(self, arrived: Arrived, talk: Talk, mark: bytes) -> None:
        """Make the event's turn. Raises what user code cannot cause: the conversation is then parked."""
        conversation = talk.conversation
        around = self._catalogue.around(conversation)
        contact = self._work.contacts.get(conversation.contact_id) or Contact("")
        event = Event(arrived, talk, contact, around, mark)
        if arrived.traceparent is None:
            await self._turn(event, None)
            return
        with traced("engine.turn", arrived.traceparent, event=arrived.event_id, kind=event.body.kind) as span:
            await self._turn(event, span.traceparent)

    async def _turn(self, event: Event, traceparent: str | None) -> None:
        conversation = event.talk.conversation
        before = Before(conversation.version, conversation.next_seq)
        turn = too_many_hops(event) if event.body.hops > MOST_HOPS else await KINDS[event.body.kind](self, event)
        if turn is None:
            return
        turn.conversation.version = before.version + 1
        try:
            self._keep(event, before, turn, traceparent)
        except TooLarge as error:
            failed = failed_turn(event, "too-large", str(error))
            failed.conversation.version = before.version + 1
            self._keep(event, before, failed, traceparent)

    # What each kind of event does. None: nothing at all.

    async def _message(self, event: Event) -> Turn:
        body: inbound.MessageReceived = event.body
        conversation, effects = people.meet(self._work, event, subscribed=True)
        if body.text is not None:
            conversation.last_message = body.text[:TEXT_KEPT]
        event.talk.last_user_at = moment(event.now)
        effects.append(EmitEvent("message.received", {"message": people.message_view(body)}))
        return await self._step(event, conversation, effects)

    async def _reachability(self, event: Event) -> Turn:
        conversation, effects = people.meet(self._work, event, subscribed=False)
        effects.extend(people.change_reachability(conversation, event.body.state, event.body.reason))
        return Turn(conversation, event.contact, effects)

    async def _message_result(self, event: Event) -> Turn:
        conversation = event.talk.conversation
        effects: list[Effect] = [people.message_result(event.body)]
        if event.body.unreachable:
            effects.extend(people.change_reachability(conversation, event.body.unreachable, "send-failed"))
        return Turn(conversation, event.contact, effects)

    async def _contact_update(self, event: Event) -> Turn:
        change = people.update(event.body)
        if not event.contact.id:
            return Turn(event.talk.conversation, event.contact)
        contact = patched(event.contact, change)
        effects: list[Effect] = [change, *people.update_events(contact, change)]
        return Turn(event.talk.conversation, contact, effects)

    async def _timer(self, event: Event) -> Turn | None:
        timer = event.body.timer_id
        if timer in self._work.ended_timers or (
            timer not in self._work.timers_found and timer not in self._work.timers
        ):
            return None
        self._work.timers.pop(timer, None)
        self._work.ended_timers.add(timer)
        return await self._plain(event)

    async def _url(self, event: Event) -> Turn:
        body: inbound.UrlOpened = event.body
        gone = body.registered and self._catalogue.is_deleted("hook_url", body.link_id)
        if gone or (body.single_use and not event.talk.listeners.use_link(body.link_id)):
            detail = "The link was revoked." if gone else "The link works once, and was used."
            refused = Refused("link-gone", 404, detail, "revoked" if gone else "used")
            return Turn(event.talk.conversation, event.contact, refused=refused)
        return await self._plain(event)

    async def _plain(self, event: Event) -> Turn:
        return await self._step(event, event.talk.conversation, [])

    async def _step(self, event: Event, conversation: Conversation, effects: list[Effect]) -> Turn:
        """The interpreter's turn, with the shell's effects before its own."""
        around = event.around
        seen = happening(event.arrived.event_id, event.body, event.now)
        turn = step(around.flows, conversation, event.contact, seen, around.tools)
        runs = 0
        while turn.code is not None:
            runs += 1
            if runs > MOST_CODE_RUNS:
                return failed_turn(event, "too-much-code", f"more than {MOST_CODE_RUNS} code nodes in one turn")
            result = await self._sandbox.run(turn.code, _url_maker(around, turn.code.wait, conversation))
            answer = replace(seen, kind="code_result", data=result)
            turn = step(around.flows, turn.conversation, turn.contact, answer, around.tools)
        turn.effects = [*effects, *turn.effects]
        return turn

    # What comes of it.

    def _keep(self, event: Event, before: Before, turn: Turn, traceparent: str | None) -> None:
        """Translate the turn and, if all of it is within its limits, add it to the batch's work."""
        talk, unknown = event.talk, event.talk.read_version is None and event.talk.state is None
        key = f"refused {event.arrived.event_id}" if turn.refused and unknown else None
        outputs = Outputs(
            key=talk.conversation.key,
            id_base=(key or talk.conversation.key, before.version),
            project_id=turn.conversation.project_id,
            now=event.now,
            hops=event.body.hops + 1,
            traceparent=traceparent,
        )
        talk.conversation = turn.conversation
        writer = TurnWriter(event, outputs, turn.contact, self._catalogue.api_call)
        if event.body.kind == "message":
            writer.person_said(event.body, before.next_seq - 1)
        turn.effects.extend(people.refused_events(event.body, turn.refused))
        writer.write(turn)
        if writer.patches:
            check_contact(turn.contact)
        encoded = encoded_state(turn.conversation, event.now)
        outcome = answers.outcome_of(turn, event.arrived.event_id, writer.said, is_url=event.is_url)
        self._answer(event, turn, writer, outcome)
        self._add(event, turn, writer, outcome)
        if not (turn.refused and unknown):
            talk.state, talk.seen = encoded, remember(talk.seen, event.mark, event.arrived.record.timestamp)

    def _answer(self, event: Event, turn: Turn, writer: TurnWriter, outcome: Outcome) -> None:
        listeners, outputs, id = event.talk.listeners, writer.outputs, event.arrived.event_id
        if event.body.reply_to is None and not (listeners.callers or listeners.attached):
            return
        at_ms = event.arrived.record.timestamp
        listeners.forget_old(event.now, at_ms)
        if event.body.reply_to is not None:
            answers.answer_asker(
                outputs, event.body.reply_to, id, outcome, listeners, at_ms=at_ms, is_url=event.is_url
            )  # fmt: skip
        answers.answer_callers(outputs, listeners, turn, writer.said, id)
        answers.copy_to_attached(outputs, listeners, turn.conversation.key, writer.said)

    def _add(self, event: Event, turn: Turn, writer: TurnWriter, outcome: Outcome) -> None:
        work, contact = self._work, turn.contact
        if contact.id:
            work.contacts[contact.id] = contact
            for change in writer.patches:
                work.patch(contact.id, change)
        work.messages.extend(writer.messages)
        if writer.said:
            work.said.setdefault(event.talk.id, []).extend(writer.said)
        work.timers.update(writer.timers)
        work.end_timers(writer.ended_timers)
        work.outcomes[event.arrived.event_id] = outcome
        logged(work, event, turn, writer, outcome)
        note_ends(work, event, turn, writer)
        if writer.outputs.records:
            work.outgoing.append((event.arrived.record, writer.outputs.records))


def _url_maker(around: Surroundings, wait: str, conversation: Conversation) -> MakeUrl:
    """`url_for` of a code node: the URLs of one run are told apart by their ordinal."""
    made = 0

    def make(asked: dict[str, Any]) -> str:
        nonlocal made
        made += 1
        person = people.named_by_code(asked.pop("user_id"), conversation)
        return around.tools.sign_link("command", {**asked, "person": person, "jti": f"{wait}/{made}"})

    return make


KINDS: dict[str, Callable[[Turns, Event], Awaitable[Turn | None]]] = {
    "message": Turns._message,
    "reachability": Turns._reachability,
    "message_result": Turns._message_result,
    "contact_update": Turns._contact_update,
    "timer": Turns._timer,
    "url": Turns._url,
    "start": Turns._plain,
    "command": Turns._plain,
    "call_result": Turns._plain,
    "signal": Turns._plain,
}
