"""The turn that takes the place of one that passed a limit: the conversation is left as it was, its run has failed. Pure."""

from __future__ import annotations

from dataclasses import replace

from flow_engine.turn.event import InboundEvent
from flow_engine.turn.kinds import KINDS
from flowlang.model import CancelTimer, Effect, EmitEvent, Refused, RunEnd, Session, Turn
from flowlang.running import ownership


def failed_turn(event: InboundEvent, type: str, detail: str, *, ran: bool = True) -> Turn:
    """What the event does instead: `flow.failed`, the sessions end, and all who wait for them hear of it. A conversation that
    agents have or are waited for in stays theirs, with its time-out; if that has come by this event, the bot has it.

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
    left = replace(conversation, session=None, stack=[], queued=[])
    given_back: list[Effect] = []
    if event.kind == "timer" and left.queue_timer == event.body.wait:
        given_back.append(ownership.closed(left, contact, event.now, "timeout"))
    return Turn(
        left,
        contact,
        [*effects, *cancelled, *given_back, EmitEvent("flow.failed", {"error": error}, flow=flow)],
        rests=[RunEnd(cause, "failed", detail, type) for cause in causes],
    )


def too_many_hops(event: InboundEvent) -> Turn:
    """For an event that our own effects caused too many times over: two flows may start each other for ever."""
    detail = f"the event is {event.body.hops} hops away from its first cause"
    return failed_turn(event, "too-many-hops", detail, ran=False)


def _flow(session: Session | None) -> dict[str, object] | None:
    return {"id": session.flow_id, "version": session.flow_version} if session else None
