"""A conversation goes on in another version of a flow, at its place among its events; it is counted what became of it. Pure."""

from __future__ import annotations

from contracts import inbound
from flow_engine.state.work import Migrated, Work
from flow_engine.turn.event import InboundEvent
from flowlang.model import Effect
from flowlang.running.migration import Place, Stays, moved

NOWHERE = Place(0, "")


def migrate(event: InboundEvent, work: Work) -> list[Effect] | None:
    """None: the conversation stays as it is."""
    body: inbound.Migrate = event.body
    flows, part = event.around.flows, event.arrived.record.partition
    graph = flows.current(body.flow_id)
    if graph is None or graph.version != body.to:
        work.migrated[Migrated(body.migration, part, "skipped", *NOWHERE, "not-published")] += 1
        return None
    found = moved(event.loaded.conversation, graph, flows.graph)
    if found is None:
        work.migrated[Migrated(body.migration, part, "gone", *NOWHERE, "")] += 1
        return None
    if isinstance(found, Stays):
        work.migrated[Migrated(body.migration, part, "skipped", *found.place, found.reason)] += 1
        return None
    work.migrated[Migrated(body.migration, part, "moved", *found.place, "")] += 1
    event.loaded.conversation = found.conversation
    return []
