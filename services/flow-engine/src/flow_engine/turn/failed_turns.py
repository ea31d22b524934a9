"""The turn that takes the place of one that passed a limit: the conversation is left as it was, its run has failed. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from flowlang.model import CancelTimer, EmitEvent, Refused, RunEnd, Session, Turn

if TYPE_CHECKING:
    from flow_engine.turn.turns import Event


NO_RUN = frozenset({"contact_update", "reachability", "message_result"})
"""Kinds that move no session: when they cannot be applied, no session ends."""


def failed_turn(event: Event, type: str, detail: str) -> Turn:
    """What the event does instead: `flow.failed`, the sessions end, and all who wait for them hear of it."""
    conversation, effects = event.met
    if event.body.kind in NO_RUN:
        return Turn(conversation, event.contact, [*effects], refused=Refused(type, 413, detail))
    sessions = [*conversation.stack, *([conversation.session] if conversation.session else [])]
    causes = dict.fromkeys([event.arrived.event_id, *(id for s in sessions for id in (s.cause, s.acts_for))])
    cancelled = [CancelTimer(session.wait.token) for session in sessions if session.wait]
    error = {"type": type, "detail": detail}
    flow = _flow(conversation.session)
    return Turn(
        replace(conversation, session=None, stack=[], queued=[]),
        event.contact,
        [*effects, *cancelled, EmitEvent("flow.failed", {"error": error}, flow=flow)],
        rests=[RunEnd(cause, "failed", detail, type) for cause in causes],
    )


def too_many_hops(event: Event) -> Turn:
    """For an event that our own effects caused too many times over (hardening 22)."""
    return failed_turn(event, "too-many-hops", f"the event is {event.body.hops} hops away from its first cause")


def _flow(session: Session | None) -> dict[str, object] | None:
    return {"id": session.flow_id, "version": session.flow_version} if session else None
