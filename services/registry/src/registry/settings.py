"""What this service takes from its environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pydantic import Field

from servicekit.settings import ServiceSettings


class ProjectLimits(NamedTuple):
    """What one project may have. `counts`: entities, by their kind."""

    counts: Mapping[str, int]
    endpoints_per_event: int
    stored_bytes: int


class Settings(ServiceSettings):
    """Needs `database`, `kek` and `link_key`. All services keep in memory what a project may have."""

    port: int = 8083

    endpoints_per_project: int = Field(default=500, ge=1)
    """Endpoints of a project at most."""
    endpoints_per_event: int = Field(default=50, ge=1)
    """Endpoints of a project that one event may go to, by their event types and bots: each is a delivery."""
    channels_per_project: int = Field(default=500, ge=1)
    """Channels of a project at most."""
    flows_per_project: int = Field(default=1000, ge=1)
    """Flows of a project at most."""
    flow_versions_per_project: int = Field(default=20000, ge=1)
    """Published versions of all flows of a project at most; they are kept for ever, as conversations may stand on them."""
    tokens_per_project: int = Field(default=2000, ge=1)
    """Tokens of a project at most, its triggers' included."""
    stored_bytes_per_project: int = Field(default=67108864, ge=1)
    """Bytes of all that a project has at the registry, as JSON, drafts included."""

    @property
    def limits(self) -> ProjectLimits:
        """Of each project."""
        counts = {
            "endpoint": self.endpoints_per_project,
            "channel": self.channels_per_project,
            "flow": self.flows_per_project,
            "flow_version": self.flow_versions_per_project,
            "token": self.tokens_per_project,
        }
        return ProjectLimits(counts, self.endpoints_per_event, self.stored_bytes_per_project)
