"""A segment: contacts of whom a filter is true."""

from __future__ import annotations

from typing import ClassVar

from contracts.registry.entity import Indexes, Owned, in_project


class Segment(Owned):
    """`filter` is CEL over `contact`, and over the time `now` (flowlang.segments). It is asked of the contacts of any bot of the project."""

    KIND = "segment"
    INDEXES: ClassVar[Indexes] = {"name": ("project_id", "name")}

    name: str
    filter: str

    @property
    def unique_name(self) -> str:
        return in_project(self.project_id, self.name)
