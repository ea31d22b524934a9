"""Segments: filters over contacts, checked when they are saved. Who is in one is told by the flow engine."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from contracts.ids import uuid7
from contracts.registry import Segment
from registry.entities import Stored
from registry.resources.resource import Made, Resource
from registry.values.inputs import Identifier, Input
from registry.writing.unit import Unit

IN_FLOWS = "in_flows"
"""In `extra`: whether flows may ask for it."""
Filter = Annotated[str, StringConstraints(min_length=1, max_length=2000)]


class NewSegment(Input):
    name: Identifier
    """What flows and broadcasts call it."""
    filter: Filter
    """CEL over `contact` and `now`: who is in it."""


class SegmentPatch(Input):
    name: Identifier = ""
    """What flows and broadcasts call it."""
    filter: Filter = "true"
    """CEL over `contact` and `now`: who is in it."""


async def create(unit: Unit, new: NewSegment) -> Made[Segment]:
    in_flows = await unit.site.checks.read_segment(new.filter)
    entity = Segment(id=str(uuid7()), project_id=unit.project, name=new.name, filter=new.filter)
    return Made(await unit.add(entity, extra={IN_FLOWS: in_flows}))


async def change(unit: Unit, stored: Stored[Segment], patch: SegmentPatch) -> Stored[Segment]:
    entity = stored.entity.model_copy(update=patch.given())
    in_flows = await unit.site.checks.read_segment(entity.filter)
    if entity.name != stored.entity.name or not in_flows:
        await unit.refuse_if_used(stored.entity)  # Published flows ask for it by its name, and of what they know.
    return await unit.save(entity, extra=stored.extra | {IN_FLOWS: in_flows})


RESOURCE = Resource(
    noun="segments",
    model=Segment,
    new=NewSegment,
    patch=SegmentPatch,
    create=create,
    change=change,
    filters={"name": "name"},
    checked=True,
)
