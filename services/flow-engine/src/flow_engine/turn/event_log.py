"""The event log: what became of each event that somebody may ask about (GET /v1/events/{id}, repeats of an event).

A row's body is one JSON object a line: the first of the event's own turn, the others of later turns that decided what
became of it. See `answers.log_body` for what is in one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from flow_engine.state.work import Outcome, Work, as_uuid
from flow_engine.store.postgres_load import backlog
from flow_engine.turn import answers
from flow_engine.turn.turn_writer import TurnWriter
from flowlang.model import Turn
from servicekit.loop.batches import Connection

if TYPE_CHECKING:
    from flow_engine.turn.turns import Event

ASKED_ABOUT = frozenset({"message", "start", "url", "command", "signal", "contact_update"})
"""Kinds of events that have a row."""
FIND = "SELECT id, project_id, conversation, status, body FROM event_log WHERE id = ANY ($1::uuid[])"


def logged(work: Work, event: Event, turn: Turn, writer: TurnWriter, outcome: Outcome) -> None:
    """Note the event's own turn."""
    kind = event.body.kind
    if kind not in ASKED_ABOUT:
        return
    id = event.uuid
    asks = event.body.trigger_id if kind == "start" else None
    body = answers.log_body(turn, writer.outputs, writer.said, outcome, asks=asks, in_log=bool(writer.messages))
    work.log_rows[id] = (id, turn.conversation.project_id, event.talk.id, outcome.status, body)


def note_ends(work: Work, event: Event, turn: Turn, writer: TurnWriter) -> None:
    """Note what became of earlier events whose runs came to rest in this turn.

    That a person's answer brought a waiting run to its next question is not news about the event that began it.
    """
    asked = event.body.kind in ASKED_ABOUT
    for end in turn.rests:
        if end.cause == event.arrived.event_id or (asked and end.status == "waiting"):
            continue
        outcome = answers.ending(end, writer.said, is_url=False)
        part = answers.log_body(turn, writer.outputs, writer.said, outcome, asks=None, in_log=bool(writer.messages))
        work.change_log(as_uuid(end.cause), outcome.status, part)
        work.outcomes[end.cause] = outcome


async def find(connection: Connection, event_ids: list[str]) -> dict[str, dict[str, Any]]:
    """What the log says of these events, by id as given: {project_id, conversation, status, parts[]}."""
    wanted = {as_uuid(id): id for id in event_ids}
    rows = await connection.fetch(FIND, list(wanted))
    return {
        wanted[str(row["id"])]: {
            "project_id": row["project_id"],
            "conversation": row["conversation"] and str(row["conversation"]),
            "status": row["status"],
            "parts": [orjson.loads(line) for line in row["body"].splitlines()],
        }
        for row in rows
    }


async def messages(connection: Connection, found: dict[str, Any]) -> list[dict[str, Any]]:
    """The bot's messages that a found event caused, as ChatMessage objects."""
    said: list[dict[str, Any]] = []
    for part in found["parts"]:
        said += part.get("messages", [])
        if seqs := part.get("seqs"):
            said += await backlog(connection, found["conversation"], seqs[0] - 1, seqs[1])
    return list({message["seq"]: message for message in said}.values())


async def outcomes(connection: Connection, event_ids: list[str]) -> dict[str, Outcome]:
    """The outcomes of earlier events, as their repeats are answered."""
    found = await find(connection, event_ids)
    return {id: await _outcome(connection, entry) for id, entry in found.items()}


async def _outcome(connection: Connection, entry: dict[str, Any]) -> Outcome:
    last = entry["parts"][-1]
    return Outcome(entry["status"], last.get("problem"), last.get("answer"), await messages(connection, entry))
