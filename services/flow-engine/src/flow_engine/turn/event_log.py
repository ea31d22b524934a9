"""What the event log is told of a turn. Pure."""

from __future__ import annotations

from contracts.ids import NOBODY
from flow_engine.state.ids import as_uuid, conversation_id
from flow_engine.state.rows import LogRow
from flow_engine.state.work import Outcome, Work
from flow_engine.turn import answers
from flow_engine.turn.event import InboundEvent
from flow_engine.turn.kinds import KINDS
from flow_engine.turn.turn_writer import TurnWriter
from flowlang.model import Turn


def logged(
    work: Work, event: InboundEvent, turn: Turn, writer: TurnWriter, outcome: Outcome, traced: int | None
) -> None:
    """Note the event's own turn. `traced`: the number under which the trace has it."""
    if not KINDS[event.kind].asked_about:
        return
    trigger_id = event.body.trigger_id if event.kind == "start" else None
    asked = answers.Asked(trigger_id, event.body.token_id, event.body.request_digest)
    body = answers.log_body(
        turn, writer.outputs, writer.said, outcome, asked=asked, in_log=bool(writer.messages), traced=traced
    )
    work.add_log_row(LogRow(event.uuid, turn.conversation.project_id, _place(event, turn), outcome.status, body))


def _place(event: InboundEvent, turn: Turn) -> str:
    """Whose event it is: what makes a contact goes with the contact, and has come under another key."""
    if event.is_of_contact and turn.contact.id:
        return conversation_id(f"{turn.conversation.bot_id}/{NOBODY}/{turn.contact.id}")
    return event.loaded.id


def note_ends(work: Work, event: InboundEvent, turn: Turn, writer: TurnWriter, traced: int | None) -> None:
    """Note what became of earlier events whose runs came to rest in this turn.

    That a person's answer brought a waiting run to its next question is not news about the event that began it.
    """
    asked = KINDS[event.kind].asked_about
    for end in turn.rests:
        if end.cause == event.id or (asked and end.status == "waiting"):
            continue
        outcome = answers.ending(end, writer.said, is_url=False)
        part = answers.log_body(
            turn, writer.outputs, writer.said, outcome, asked=None, in_log=bool(writer.messages), traced=traced
        )
        work.change_log(as_uuid(end.cause), outcome.status, part)
        work.outcomes[end.cause] = outcome
