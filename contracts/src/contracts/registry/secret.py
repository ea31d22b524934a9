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
    hosts: tuple[str, ...] = ()
    """Where it may be sent, `https://api.example.com`. Empty: no API call has named it, or in a record of an earlier
    release, wherever the API calls go that name it."""

    @property
    def unique_name(self) -> str:
        return in_project(self.project_id, self.name)
