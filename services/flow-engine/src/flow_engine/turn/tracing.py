"""What the trace of a conversation is told of a turn. Pure."""

from __future__ import annotations

from typing import Any

from contracts.ids import NOBODY
from flow_engine.state.rows import TraceRow
from flow_engine.state.traces import Change, of_memory, packed
from flow_engine.turn.event import Before, InboundEvent
from flow_engine.turn.kinds import KINDS
from flow_engine.turn.turn_writer import TurnWriter
from flowlang.model import Contact, PatchContact, Turn

_LABELS = ("tags", "flags")


def traced(event: InboundEvent, before: Before, turn: Turn, writer: TurnWriter) -> TraceRow | None:
    """The row; None of a turn in which nothing ran that anybody asked for, and where there is no conversation with a person.

    Raises NotJson.
    """
    conversation = turn.conversation
    if conversation.channel_id == NOBODY or not (turn.steps or turn.refused or KINDS[event.kind].asked_about):
        return None
    changes: dict[str, list[Change]] = {}
    if turn.memory_changes:
        changes["memory"] = of_memory(turn.memory_changes)
    if writer.patches:
        changes["user"] = [
            change for patch in writer.patches for change in _of_user(before.contact, turn.contact, patch)
        ]
    about = (event.id, event.kind, event.now)
    body = packed(about, turn.steps, changes, _more(event, turn, writer))
    return TraceRow(event.loaded.id, conversation.version, body)


def _more(event: InboundEvent, turn: Turn, writer: TurnWriter) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if writer.calls:
        more["calls"] = writer.calls
    if event.kind == "call_result":
        more["answer"] = _answer(event.body)
    if turn.refused is not None:
        more["refused"] = {"type": turn.refused.type, "detail": turn.refused.detail}
    for end in turn.rests:
        if end.status == "failed":
            more["failed"] = {"type": end.error_type or "failed", "detail": end.error}
    return more


def _answer(body: Any) -> dict[str, Any]:
    return {"call": body.action_id, "outcome": body.outcome, "status": body.status, "took_ms": body.took_ms}


def _of_user(before: Contact, after: Contact, patch: PatchContact) -> list[Change]:
    changes: list[Change] = []
    for key, value in patch.set.items():
        scope, _, name = key.partition(".")
        changes.append((None, name, getattr(before, scope).get(name), value))
    for labels in _LABELS:
        if (old := getattr(before, labels)) != (new := getattr(after, labels)):
            changes.append((None, labels, old, new))
    return changes
