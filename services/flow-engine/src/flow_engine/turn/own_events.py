"""What a turn tells the outside, for flows of the bot that have a trigger for it: an inbound record of its own, no I/O.

So it is a turn of its own, behind what is in the conversation's order already, and is taken once, as all records are.
"""

from __future__ import annotations

from typing import Any

from contracts.ids import NOBODY, derived_id
from flow_engine.state.limits import MOST_HOPS
from flow_engine.turn.failure_log import note_failure
from flow_engine.turn.outputs import Outputs
from flow_engine.turn.turn_writer import TurnWriter
from flowlang.model import EmitEvent
from flowlang.running.bot_flows import BotFlows

KIND = "event"


def note(writer: TurnWriter, type: str, data: dict[str, Any]) -> None:
    """Keep what is told, if a flow listens to it and there is a person with whom it could begin."""
    if writer.person.id and writer.event.around.flows.listen_to(KIND, type):
        writer.own_events.append({"type": type, "data": data})


def write(writer: TurnWriter) -> None:
    """Write what was kept. Events that their own flows cause come to an end: see MOST_HOPS.

    Of several, each is further from the first cause, as of commands. What would be too far is left out, and `flow.failed` tells of it.
    """
    told, outputs = writer.own_events, writer.outputs
    hops = outputs.hops + 2 * (len(told) - 1).bit_length()
    if hops > MOST_HOPS:
        types = ", ".join(sorted({one["type"] for one in told}))
        detail = f"flows that listen to events ({types}) have caused each other {hops} times over"
        failed = EmitEvent("flow.failed", {"error": {"type": "too-many-hops", "detail": detail}})
        note_failure(failed, writer.conversation)
        writer.event_for_outside(failed.type, failed.data)
        return
    conversation = writer.conversation
    place: dict[str, Any] = writer.place_of_person() | {"channel_type": conversation.channel_type or None}
    key = conversation.key
    if conversation.channel_id == NOBODY:
        key = f"{conversation.bot_id}/{NOBODY}/{writer.person.id}"
        place = {"channel_id": NOBODY, "peer_id": NOBODY, "person": {"contact_id": writer.person.id}}
    for one in told:
        body = {"kind": KIND, "bot_id": conversation.bot_id, **place, **one, "hops": hops}
        outputs.inbound(derived_id(writer.event.id, outputs.new_id()), key, body)


def of_delivery(
    flows: BotFlows, outputs: Outputs, key: str, place: dict[str, Any], type: str, data: dict[str, Any]
) -> None:
    """The same for what became of a webhook of a step, in the conversation of the step."""
    if outputs.hops <= MOST_HOPS and flows.listen_to(KIND, type):
        outputs.inbound(outputs.new_id(), key, {"kind": KIND, **place, "type": type, "data": data})
