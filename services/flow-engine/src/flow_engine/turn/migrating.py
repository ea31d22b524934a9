"""A conversation goes on in another version of a flow, at its place among its events; it is counted what became of it. Pure."""

from __future__ import annotations

from contracts import inbound
from flow_engine.state.work import Migrated, Work
from flow_engine.turn.event import InboundEvent
from flowlang.model import Effect
from flowlang.running.migration import Place, Stays, moved

NOWHERE = Place(0, "")


def migrate(event: InboundEvent, work: Work) -> list[Effect] | None:
    """None: there is no conversation. One that stays as it is remembers the record all the same: it may come again, and counts once."""
    body: inbound.Migrate = event.body
    flows, part = event.around.flows, event.arrived.record.partition
    graph = flows.current(body.flow_id)
    if graph is None or graph.version != body.to:
        outcome, place, reason = "skipped", NOWHERE, "not-published"
    elif (found := moved(event.loaded.conversation, graph, flows.graph)) is None:
        outcome, place, reason = "gone", NOWHERE, ""
    elif isinstance(found, Stays):
        outcome, place, reason = "skipped", found.place, found.reason
    else:
        outcome, place, reason = "moved", found.place, ""
        event.loaded.conversation = found.conversation
    work.migrated[Migrated(body.migration, part, outcome, *place, reason)] += 1
    return None if event.loaded.is_unknown else []
