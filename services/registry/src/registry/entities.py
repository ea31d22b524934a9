"""What the registry keeps of an entity beside the record that everybody reads. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from contracts.model import Model
from contracts.registry import ENTITY_MODELS, EntityRecord, FlowVersion, Project, entity_key

M = TypeVar("M", bound=Model)
KINDS: dict[type[Model], str] = {model: kind for kind, model in ENTITY_MODELS.items()}


@dataclass(frozen=True, slots=True)
class Stored(Generic[M]):
    """An entity as of `version`. `extra` is the registry's own: it is never published."""

    entity: M
    version: int
    created_at: datetime
    updated_at: datetime
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return id_of(self.entity)

    @property
    def project_id(self) -> str:
        return project_of(self.entity)

    @property
    def etag(self) -> str:
        return f'"{self.version}"'


def kind_of(entity: Model) -> str:
    """The entity's kind, as contracts.registry.EntityKind spells it."""
    return KINDS[type(entity)]


def id_of(entity: Model) -> str:
    """The entity's id; a flow version's is `<flow id>/<n>`."""
    if isinstance(entity, FlowVersion):
        return f"{entity.flow_id}/{entity.version}"
    return str(getattr(entity, "id"))  # noqa: B009 (every other kind declares it)


def project_of(entity: Model) -> str:
    """The project that owns the entity; a project owns itself."""
    return entity.id if isinstance(entity, Project) else str(getattr(entity, "project_id"))  # noqa: B009


def data_of(entity: Model) -> dict[str, Any]:
    """The entity as JSON, absent optionals left out: what a record's `data` and the table's hold."""
    return entity.model_dump(mode="json", exclude_none=True)


def record_of(entity: Model, *, version: int, generation: int, deleted: bool = False) -> EntityRecord:
    """The record that tells everybody about this version; a delete marker carries no data."""
    return EntityRecord.model_validate(
        {
            "kind": kind_of(entity),
            "id": id_of(entity),
            "project_id": project_of(entity),
            "generation": generation,
            "version": version,
            "deleted": deleted,
            "data": {} if deleted else data_of(entity),
        }
    )


def key_of(record: EntityRecord) -> str:
    """The Kafka key of a record."""
    return entity_key(record.kind, record.id)
