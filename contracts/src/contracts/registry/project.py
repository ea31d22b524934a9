"""A project: whom everything else belongs to."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from contracts.registry.entity import Entity, Indexes, Sealed


class Project(Entity):
    """`signing_secret` signs webhooks that a step posts to an inline URL (a whsec_ string inside).

    `older_secrets` were replaced by it, and sign beside it until their overlap is over. `own_topics`: whether it has topics of
    its own (contracts.project_topics).
    """

    KIND = "project"
    INDEXES: ClassVar[Indexes] = {"slug": ("slug",)}

    id: str
    name: str
    slug: str
    signing_secret: Sealed
    older_secrets: tuple[Sealed, ...] = ()
    rate_limits: dict[str, Any] = Field(default_factory=dict)
    own_topics: bool = False

    @property
    def entity_id(self) -> str:
        return self.id

    @property
    def owner_id(self) -> str:
        """Itself."""
        return self.id

    @property
    def unique_name(self) -> str:
        return self.slug
