"""What the rules need to know of the place they run at: its address, keys and limits, and the types of channel it has."""

from __future__ import annotations

from dataclasses import dataclass, field

from channels.discovery import Connectors, installed
from contracts.registry import Entity, Sealed
from registry.checking.checks import Checks
from registry.settings import ProjectLimits
from servicekit.credentials.links import LinkKeys
from servicekit.credentials.sealing import KeyRing


@dataclass(frozen=True, slots=True)
class Site:
    """`public_url` has no trailing slash. `checks`: who checks what users wrote. `topic_prefix`: of the installation's Kafka."""

    public_url: str
    keys: KeyRing
    links: LinkKeys
    limits: ProjectLimits
    checks: Checks
    connectors: Connectors = field(default_factory=installed)
    topic_prefix: str = ""

    @property
    def is_public(self) -> bool:
        """Whether platforms can call us: they insist on https."""
        return self.public_url.startswith("https://")

    def url(self, *parts: str) -> str:
        """`/v1/...` as the outside writes it."""
        return "/".join((self.public_url, "v1", *parts))

    def seal(self, plaintext: str, *, project: str, entity: str, field: str, after: Sealed | None = None) -> Sealed:
        """`after`: the sealed value that it replaces."""
        return self.keys.seal(plaintext.encode(), project=project, entity=entity, field=field, after=after)

    def open(self, sealed: Sealed, *, of: Entity, field: str) -> str:
        """A secret of an entity. Raises SealError when its key is not here any more."""
        return self.keys.open_sealed(sealed, project=of.owner_id, entity=of.entity_id, field=field).decode()
