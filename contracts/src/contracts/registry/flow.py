"""A flow, and its versions."""

from __future__ import annotations

from typing import Any, ClassVar

from contracts.model import Model
from contracts.registry.entity import Entity, Indexes, Owned


class Schedule(Model):
    """A trigger `schedule` of a flow's published version. `grace` is a duration as ISO 8601 has it; `segment`: by its name."""

    trigger: str
    cron: str
    timezone: str
    segment: str | None = None
    grace: str
    rate: float


class Flow(Owned):
    """`published` is the version that new sessions start on; None: never published.

    Versions up to `retired` are published no more: they are there for the conversations that stand on them (ADR-0034).
    """

    KIND = "flow"
    INDEXES: ClassVar[Indexes] = {"bot_id": ("bot_id",), "slug": ("bot_id", "slug")}

    bot_id: str
    slug: str
    name: str
    published: int | None = None
    retired: int = 0
    schedules: tuple[Schedule, ...] = ()
    """Of the published version."""
    published_at: str | None = None
    """When it was published, or published again, RFC 3339: its schedules hold from then on."""

    @property
    def unique_name(self) -> str:
        return f"{self.bot_id}/{self.slug}"


class FlowVersion(Entity):
    """Immutable, but for `ended`: who stands on it ends there with the next event. Entity id `<flow id>/<n>`."""

    KIND = "flow_version"
    INDEXES: ClassVar[Indexes] = {"flow_id": ("flow_id",)}

    flow_id: str
    project_id: str
    bot_id: str
    version: int
    document: dict[str, Any]
    ended: bool = False

    @property
    def entity_id(self) -> str:
        return f"{self.flow_id}/{self.version}"

    @property
    def owner_id(self) -> str:
        return self.project_id
