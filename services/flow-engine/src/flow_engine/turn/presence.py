"""Whether an agent is there, under a key of the agent's own: told when it changes, and over when nobody says it again. Pure.

A process that dies says nothing any more: its agent is offline when the time is over that was given with the last word, by a
timer, as all waits are.
"""

from __future__ import annotations

from datetime import timedelta

from contracts.ids import NOBODY, derived_id
from contracts.inbound import AgentPresence
from flow_engine.turn.event import OF_AGENT, InboundEvent
from flowlang import clock
from flowlang.model import CancelTimer, Effect, EmitEvent, StartTimer


def key_of(project_id: str, agent_id: str) -> str:
    """The record's key of what is about the agent."""
    return f"{project_id}/{NOBODY}/{OF_AGENT}{agent_id}"


def change(event: InboundEvent) -> list[Effect]:
    """What the agent says."""
    body: AgentPresence = event.body
    conversation = event.loaded.conversation
    before, agent = conversation.presence, body.agent.model_dump()
    effects: list[Effect] = [CancelTimer(before["token"])] if before else []
    if body.state == "offline":
        conversation.presence = None
        told = [_out(agent)] if before else []
    else:
        token = derived_id("presence", conversation.key, event.id)
        conversation.presence = {"state": body.state, "agent": agent, "token": token}
        effects.append(StartTimer(token, clock.after(event.now, timedelta(seconds=body.until_seconds))))
        told = [] if before else [EmitEvent("agent.logged_in", {"agent": agent})]
    return event.has_done([*effects, *told])


def expired(event: InboundEvent) -> list[Effect]:
    """The time of the agent's last word is over."""
    conversation = event.loaded.conversation
    before = conversation.presence
    if before is None or before["token"] != event.body.wait:
        return []
    conversation.presence = None
    return event.has_done([_out(before["agent"])])


def _out(agent: dict[str, str]) -> EmitEvent:
    return EmitEvent("agent.logged_out", {"agent": agent})
