"""The event log: what became of each event that somebody may ask about (GET /v1/events/{id}, repeats of an event).

A row's body is one JSON object a line: the first of the event's own turn, the others of later turns that decided what
became of it. `turn.answers.log_body` says what is in one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from flow_engine.state.ids import as_uuid
from flow_engine.state.rows import LogRow
from flow_engine.state.work import Outcome
from flow_engine.store import traces
from flow_engine.store.loading import backlog
from flow_engine.store.port import LoggedEvent
from servicekit.columns import Columns
from servicekit.loop.batches import Connection


class LogChangeRow(NamedTuple):
    """A change of an earlier event's row."""

    id: str
    status: str
    part: bytes


LOGGED = Columns(LogRow, "uuid text uuid text bytea")
CHANGES = Columns(LogChangeRow, "uuid text bytea")
CHANGE = f"""
UPDATE event_log e SET status = u.status, body = e.body || u.part FROM {CHANGES.unnest()} WHERE e.id = u.id
"""
_OF_CONVERSATION = "SELECT id FROM event_log WHERE conversation = $1"
_FIND = "SELECT id, project_id, conversation, status, body FROM event_log WHERE id = ANY ($1::uuid[])"


async def find(connection: Connection, event_ids: list[str]) -> dict[str, LoggedEvent]:
    """What the log says of these events, by id as given."""
    wanted = {as_uuid(id): id for id in event_ids}
    rows = await connection.fetch(_FIND, list(wanted)) if wanted else []
    return {wanted[str(row["id"])]: await _logged(connection, row) for row in rows}


async def of_conversation(connection: Connection, conversation: str) -> list[str]:
    """The ids of its events."""
    return [str(row["id"]) for row in await connection.fetch(_OF_CONVERSATION, conversation)]


async def _logged(connection: Connection, row: Any) -> LoggedEvent:
    conversation = row["conversation"] and str(row["conversation"])
    parts = [orjson.loads(line) for line in row["body"].splitlines()]
    said: list[dict[str, Any]] = []
    for part in parts:
        if (turn := part.get("turn")) is not None:
            part["steps"] = await traces.steps(connection, conversation, turn)
        said += part.get("messages", [])
        if seqs := part.get("seqs"):
            said += await backlog(connection, conversation, seqs[0] - 1, seqs[1])
    messages = list({message["seq"]: message for message in said}.values())
    return LoggedEvent(row["project_id"], conversation, row["status"], parts, messages)


def outcome(logged: LoggedEvent) -> Outcome:
    """The outcome of an earlier event, as its repeats are answered."""
    last = logged.parts[-1]
    digest = logged.parts[0].get("digest")
    return Outcome(
        logged.status,
        last.get("problem"),
        last.get("answer"),
        logged.messages,
        digest,
        logged.parts[0].get("contact_id"),
    )
