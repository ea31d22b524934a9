"""One event applied to its conversation: meet the person, have the turn made, keep what came of it.

No I/O but that of programs: all rows were loaded before, all that changes goes into the batch's Work.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from flow_engine.catalogue.port import Catalogue, Surroundings
from flow_engine.programs.deferring import Deferred, MakesTurns
from flow_engine.programs.stepping import MOST_CODE_RUNS, Event, TooMuchCode
from flow_engine.state.json_text import NotJson
from flow_engine.state.limits import (
    COMMANDS_A_SECOND,
    MOST_COMMANDS,
    MOST_HOPS,
    TooLarge,
    TooManyCommands,
    check_contact,
    encoded_state,
)
from flow_engine.state.patches import is_same
from flow_engine.state.rows import Identity, TraceRow, TurnOf
from flow_engine.state.seen import remember
from flow_engine.state.work import LoadedConversation, Outcome, Work
from flow_engine.turn import answers, own_contacts, people
from flow_engine.turn.counting import count
from flow_engine.turn.effects import write
from flow_engine.turn.event import Arrived, Before, InboundEvent
from flow_engine.turn.event_log import logged, note_ends
from flow_engine.turn.failed_turns import failed_turn, too_many_hops
from flow_engine.turn.failure_log import note_missing
from flow_engine.turn.kinds import KINDS, happening
from flow_engine.turn.outputs import Outputs
from flow_engine.turn.tracing import traced as noted
from flow_engine.turn.turn_writer import TurnWriter
from flow_engine.turn.undo import Undo
from flowlang.model import Contact, Conversation, Effect, Happening, Refused, Turn
from flowtools.sandbox import MakeUrl
from servicekit.observability.telemetry import traced
from servicekit.workers.allowances import Allowances
from servicekit.workers.pool import Ended


class Turns:
    """Applies events to the conversations of one batch."""

    def __init__(self, work: Work, catalogue: Catalogue, makes: MakesTurns, commands: Allowances) -> None:
        """`commands`: those that a project may have its turns run."""
        self._work, self._catalogue, self._makes, self._commands = work, catalogue, makes, commands

    async def apply(self, arrived: Arrived, loaded: LoadedConversation, mark: bytes, *, here: bool = False) -> bool:
        """Make the event's turn. False: it is deferred, and nothing has changed. `here`: never deferred.

        Raises what user code cannot cause: the conversation is then parked.
        """
        conversation = loaded.conversation
        conversation.contact_id = self._work.merges.get(conversation.contact_id, conversation.contact_id)
        around = self._catalogue.around(conversation)
        contact = self._work.contacts.get(conversation.contact_id) or Contact("")
        event = InboundEvent(arrived, loaded, contact, around, mark)
        undo = Undo(event, self._work)
        try:
            if arrived.traceparent is None:
                await self._apply(event, None, here=here)
            else:
                with traced(
                    "engine.turn", arrived.traceparent, event=event.id, kind=event.kind, project=event.body.project_id
                ) as span:
                    await self._apply(event, span.traceparent, here=here)
        except Deferred:
            undo()
            return False
        return True

    async def _apply(self, event: InboundEvent, traceparent: str | None, *, here: bool) -> None:
        conversation = event.loaded.conversation
        before = Before(conversation.version, conversation.next_seq, event.contact)
        ran = False
        try:
            turn = await self._turn(event, here=here)
            if turn is None:
                return
            ran = bool(turn.steps)
            self._keep(event, before, turn, traceparent)
        except (TooLarge, NotJson) as error:
            failed = failed_turn(event, error.type, str(error), ran=ran)
            self._keep(event, before, failed, traceparent)

    async def _turn(self, event: InboundEvent, *, here: bool) -> Turn | None:
        """What the event does; None: nothing at all."""
        if event.body.hops > MOST_HOPS:
            return too_many_hops(event)
        if (
            event.loaded.conversation.contact_id and not event.contact.id
        ):  # Its own record of the erasure comes behind this one.
            return Turn(event.loaded.conversation, event.contact, refused=own_contacts.GONE)
        effects = KINDS[event.kind].before(event, self._work, self._catalogue)
        if effects is None:
            return None
        if isinstance(effects, Refused):
            return Turn(event.loaded.conversation, event.contact, refused=effects)
        seen = happening(event)
        if seen is None:
            return Turn(event.loaded.conversation, event.contact, effects)
        return await self._step(event, seen, effects, here=here)

    async def _step(self, event: InboundEvent, seen: Happening, effects: list[Effect], *, here: bool) -> Turn:
        """The interpreter's turn, with the engine's own effects before it."""
        around, conversation = event.around, event.loaded.conversation
        made_of = Event(around, conversation, event.contact, seen, partial(_url_maker, around, conversation))
        whose = TurnOf(event.arrived.record.partition, conversation.key, conversation.project_id)
        try:
            turn = await self._makes.turn(made_of, whose, self._catalogue, here=here)
        except TooMuchCode:
            return failed_turn(event, "too-much-code", f"more than {MOST_CODE_RUNS} code nodes in one turn")
        except Ended as error:
            return failed_turn(event, "program-ended", f"{error}, and was ended")
        turn.effects = [*effects, *turn.effects]
        return turn

    # What comes of it.

    def _keep(self, event: InboundEvent, before: Before, turn: Turn, traceparent: str | None) -> None:
        """Translate the turn and, if all of it is within its limits, add it to the batch's work."""
        loaded = event.loaded
        leaves_nothing = turn.refused is not None and loaded.is_unknown
        turn.conversation.version = before.version + 1
        outputs = _outputs(event, before, turn, traceparent)
        loaded.conversation = turn.conversation
        writer = self._written(event, before, turn, outputs)
        encoded = encoded_state(turn.conversation, event.now)
        note_missing(turn.steps)
        trace = None if leaves_nothing else noted(event, before, turn, writer)
        outcome = answers.outcome_of(turn, event.id, writer.said, is_url=event.is_url)
        if (event.is_of_contact or event.is_of_agent) and turn.refused is None:
            outcome = Outcome("completed", contact_id=turn.contact.id or None)
        self._answer(event, turn, writer, outcome)
        self._add(event, turn, writer, outcome, trace)
        if not leaves_nothing:
            loaded.state, loaded.seen = encoded, remember(loaded.seen, event.mark, event.arrived.record.timestamp)

    def _written(self, event: InboundEvent, before: Before, turn: Turn, outputs: Outputs) -> TurnWriter:
        """The turn as rows and records. Raises TooLarge."""
        writer = TurnWriter(event, outputs, turn.contact, self._catalogue.api_call)
        if event.kind == "message":
            writer.person_said(event.body, before.next_seq - 1)
        elif event.kind == "agent_note":
            writer.noted(before.next_seq - 1, {"text": event.body.text, "agent": event.body.agent.model_dump()})
        turn.effects.extend(people.refused_events(event.body, turn.refused))
        write(turn, writer)
        self._count_commands(writer.runs, turn.conversation.project_id)
        if writer.patches:
            check_contact(turn.contact)
        return writer

    def _count_commands(self, runs: int, project: str) -> None:
        """One for one does not grow, and is bounded by its hops. Raises TooManyCommands for several."""
        if runs < 2:
            return
        if not self._commands.has(project):
            raise TooManyCommands(
                f"the project's flows run too many commands: where a turn runs several, {MOST_COMMANDS} at once"
                f" and {COMMANDS_A_SECOND} a second"
            )
        self._commands.spend(project, runs)

    def _answer(self, event: InboundEvent, turn: Turn, writer: TurnWriter, outcome: Outcome) -> None:
        listeners, outputs, to = event.loaded.listeners, writer.outputs, event.body.reply_to
        if to is None and not (listeners.callers or listeners.attached):
            return
        at_ms = event.arrived.record.timestamp
        listeners.forget_old(event.now, at_ms)
        if to is not None:
            answers.answer_asker(outputs, to, event.id, outcome, listeners, at_ms=at_ms, is_url=event.is_url)
        answers.answer_callers(outputs, listeners, turn, writer.said, event.id)
        answers.copy_to_attached(outputs, listeners, turn.conversation.key, writer.said)

    def _add(
        self, event: InboundEvent, turn: Turn, writer: TurnWriter, outcome: Outcome, trace: TraceRow | None
    ) -> None:
        work, contact = self._work, turn.contact
        if contact.id:
            before, work.contacts[contact.id] = work.contacts.get(contact.id), contact
            if before is None or (writer.patches and not is_same(before, contact)):
                for change in writer.patches:
                    work.patch(contact.id, change)
            if event.verified:
                work.verify([Identity(turn.conversation.bot_id, *one, contact.id) for one in event.verified])
        work.messages.extend(writer.messages)
        if writer.said:
            work.said.setdefault(event.loaded.id, []).extend(writer.said)
        if writer.timers or writer.ended_timers:
            work.start_timers(writer.timers.values())
            work.end_timers(writer.ended_timers)
        work.outcomes[event.id] = outcome
        if event.body.request_digest is not None:
            work.digests.setdefault(event.id, event.body.request_digest)
        if trace is not None:
            work.traces.append(trace)
        if turn.steps:
            count(work, turn, event.arrived.record.partition)
        number = trace.turn if trace is not None else None
        logged(work, event, turn, writer, outcome, number)
        note_ends(work, event, turn, writer, number)
        work.send(event.arrived.record, writer.outputs.records)


def _outputs(event: InboundEvent, before: Before, turn: Turn, traceparent: str | None) -> Outputs:
    """Where the turn's records are collected.

    Their ids follow from the event, too: another one may find the conversation at the same version, after a refusal that leaves no
    trace of it, and after a restore with which what came since the backup is left out.
    """
    own = event.loaded.conversation.key
    key = turn.conversation.project_id if event.is_of_agent else own  # What is told of agents is told by project.
    return Outputs(
        key=key,
        id_base=(own, before.version, event.id),
        project_id=turn.conversation.project_id,
        now=event.now,
        hops=event.body.hops + 1,
        traceparent=traceparent,
    )


def _url_maker(around: Surroundings, conversation: Conversation, wait: str) -> MakeUrl:
    """`url_for` of a code node: the URLs of one run are told apart by their ordinal."""
    made = 0

    def make(asked: dict[str, Any]) -> str:
        nonlocal made
        made += 1
        person = people.named_by_code(asked.pop("user_id"), conversation)
        return around.tools.sign_link("command", {**asked, "person": person, "jti": f"{wait}/{made}"})

    return make
