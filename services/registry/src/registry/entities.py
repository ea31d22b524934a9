"""What the registry keeps of an entity beside the record that everybody reads. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from contracts.registry import Entity, EntityRecord, entity_key

M = TypeVar("M", bound=Entity)


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
        return self.entity.entity_id

    @property
    def project_id(self) -> str:
        return self.entity.owner_id

    @property
    def etag(self) -> str:
        return f'"{self.version}"'


def data_of(entity: Entity) -> dict[str, Any]:
    """The entity as JSON, absent optionals left out: what a record's `data` and the table's hold."""
    return entity.model_dump(mode="json", exclude_none=True)


def record_of(entity: Entity, *, version: int, generation: int, deleted: bool = False) -> EntityRecord:
    """The record that tells everybody about this version; a delete marker carries no data."""
    return EntityRecord.model_validate(
        {
            "kind": entity.KIND,
            "id": entity.entity_id,
            "project_id": entity.owner_id,
            "generation": generation,
            "version": version,
            "deleted": deleted,
            "data": {} if deleted else data_of(entity),
        }
    )


def key_of(record: EntityRecord) -> str:
    """The Kafka key of a record."""
    return entity_key(record.kind, record.id)
