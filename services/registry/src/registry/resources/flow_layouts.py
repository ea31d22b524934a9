"""Layouts of flows: where editors draw them. A second document, of which neither the draft nor a version knows."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from contracts.registry import Flow
from flowlang.building.fields import NodeId
from flowlang.language.document import MOST_NODES, MOST_TRIGGERS
from flowlang.triggers.base import TriggerId
from registry import errors
from registry.entities import Stored
from registry.store import postgres_layouts
from registry.values.inputs import Input
from registry.writing.unit import Unit

FARTHEST = 1_000_000
"""From the origin."""
Coordinate = Annotated[float, Field(strict=True, ge=-FARTHEST, le=FARTHEST, examples=[240])]


class Place(Input):
    """Where something is drawn, in the editor's own units."""

    x: Coordinate
    """To the right."""
    y: Coordinate
    """Downwards."""


class Layout(Input):
    """Ids that the flow does not have are kept as they were sent."""

    nodes: dict[NodeId, Place] = Field(default_factory=dict, max_length=MOST_NODES)
    """By the ids of nodes."""
    triggers: dict[TriggerId, Place] = Field(default_factory=dict, max_length=MOST_TRIGGERS)
    """By the ids of triggers, which may be the same as those of nodes."""


async def show(unit: Unit, flow: Stored[Flow]) -> tuple[Layout, str]:
    """It and its ETag; an empty one where none was saved."""
    kept = await postgres_layouts.get(unit.connection, flow.id)
    return Layout.model_validate(kept.layout), kept.etag


async def save(unit: Unit, flow: Stored[Flow], layout: Layout, expected: str | None) -> str:
    """Its new ETag. `expected` is the one that the caller has seen. The flow is locked."""
    before = await postgres_layouts.get(unit.connection, flow.id)
    errors.refuse_stale(before.etag, expected)
    saved = await postgres_layouts.put(unit.connection, flow.id, layout.model_dump(mode="json"))
    await unit.refuse_growth(flow.entity, before.layout, saved.layout)
    return saved.etag
