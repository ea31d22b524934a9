"""A secret that flows and API calls refer to."""

from __future__ import annotations

from typing import ClassVar

from contracts.registry.entity import Indexes, Owned, Sealed, in_project


class Secret(Owned):
    """A named value that flows and API calls refer to; the engine sees the name only."""

    KIND = "secret"
    INDEXES: ClassVar[Indexes] = {"name": ("project_id", "name")}

    name: str
    value: Sealed

    @property
    def unique_name(self) -> str:
        return in_project(self.project_id, self.name)
