"""The turn that takes the place of one that passed a limit: the conversation is left as it was, its run has failed. Pure."""

from __future__ import annotations

from dataclasses import replace

from flow_engine.turn.event import InboundEvent
from flow_engine.turn.kinds import KINDS
from flowlang.model import CancelTimer, EmitEvent, Refused, RunEnd, Session, Turn


def failed_turn(event: InboundEvent, type: str, detail: str, *, ran: bool = True) -> Turn:
    """What the event does instead: `flow.failed`, the sessions end, and all who wait for them hear of it.

    `ran`: whether nodes ran in the turn. Where none did, an event that only triggers take ends no session.
    """
    conversation, contact, effects = event.certain
    if KINDS[event.kind].only_for_triggers and not ran:
        return Turn(conversation, contact, [*effects], refused=Refused(type, 413, detail))
    sessions = [*conversation.stack, *([conversation.session] if conversation.session else [])]
    causes = dict.fromkeys([event.id, *(id for s in sessions for id in (s.cause, s.acts_for))])
    cancelled = [CancelTimer(session.wait.token) for session in sessions if session.wait]
    error = {"type": type, "detail": detail}
    flow = _flow(conversation.session)
    return Turn(
        replace(conversation, session=None, stack=[], queued=[]),
        contact,
        [*effects, *cancelled, EmitEvent("flow.failed", {"error": error}, flow=flow)],
        rests=[RunEnd(cause, "failed", detail, type) for cause in causes],
    )


def too_many_hops(event: InboundEvent) -> Turn:
    """For an event that our own effects caused too many times over: two flows may start each other for ever."""
    detail = f"the event is {event.body.hops} hops away from its first cause"
    return failed_turn(event, "too-many-hops", detail, ran=False)


def _flow(session: Session | None) -> dict[str, object] | None:
    return {"id": session.flow_id, "version": session.flow_version} if session else None
