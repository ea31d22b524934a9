"""What was sealed with a key-encryption key that is not the current one any more: its data keys wrapped anew, some at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import structlog

from contracts.registry import ApiCall, Channel, Endpoint, Project, Sealed, Secret
from registry.entities import Stored, record_of
from registry.store import postgres_entities, publications
from servicekit.credentials.sealing import KeyRing, SealError
from servicekit.loop.batches import Connection

if TYPE_CHECKING:
    import asyncpg

AT_ONCE = 100
MODELS: Mapping[str, type[Any]] = {model.KIND: model for model in (Project, Channel, Secret, Endpoint, ApiCall)}
FIELDS: Mapping[str, Mapping[str, str]] = {
    Project.KIND: {"signing_secret": "signing_secret", "older_secrets": "signing_secret"},
    Channel.KIND: {"credentials": "credentials"},
    Secret.KIND: {"value": "value"},
    Endpoint.KIND: {"secrets": "secrets", "sealed": "sealed"},
    ApiCall.KIND: {"sealed": "sealed"},
}
"""Of each kind: the fields with something sealed, and the name of the field that it is sealed for."""
DUE = """
    SELECT kind, id FROM entity
    WHERE kind = ANY($1::text[]) AND deleted_at IS NULL
        AND jsonb_path_exists(data, '$.**.kek_id ? (@ != $now)', jsonb_build_object('now', $2::text))
        AND NOT jsonb_path_exists(data, '$.**.kek_id ? (!(@ == $known[*]))', jsonb_build_object('known', $3::text[]))
    ORDER BY kind, id
"""
"""Not what has something that none of the keys opens: it stays as it is."""

log = structlog.get_logger()


class Resealing:
    """What is left to do of one look at all that is sealed: a look reads every entity with a secret."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys
        self._due: list[asyncpg.Record] | None = None

    def look_again(self) -> None:
        """A replica that has the keys in another order may have sealed something since."""
        self._due = None

    async def reseal_some(self, connection: Connection) -> int:
        """Wrap the data keys of some entities with the current key, and publish them; how many are left."""
        if self._due is None:
            self._due = await connection.fetch(DUE, list(MODELS), self._keys.current, self._keys.ids)
        some, self._due = self._due[:AT_ONCE], self._due[AT_ONCE:]
        if some:
            async with connection.transaction():
                for row in some:
                    stored = await postgres_entities.find(connection, MODELS[row["kind"]], row["id"], lock="FOR UPDATE")
                    if stored is not None:
                        await self._reseal(connection, stored)
            log.info("secrets.resealed", entities=len(some), left=len(self._due), kek_id=self._keys.current)
        return len(self._due)

    async def _reseal(self, connection: Connection, stored: Stored[Any]) -> None:
        entity = stored.entity
        try:
            changed = {name: self._each(entity, name, field) for name, field in FIELDS[entity.KIND].items()}
        except SealError as error:  # Altered: nobody can open it, and the others go on.
            log.error("secrets.unreadable", error=str(error))
            return
        saved = await postgres_entities.update(connection, entity.model_copy(update=changed), extra=stored.extra)
        if saved is not None:
            generation = await publications.generation(connection)
            record = record_of(saved.entity, version=saved.version, generation=generation)
            await publications.add_record(connection, record)

    def _each(self, entity: Any, name: str, field: str) -> Any:
        """What a field holds, wrapped anew."""
        held: Sealed | tuple[Sealed, ...] | None = getattr(entity, name)
        place = {"project": entity.owner_id, "entity": entity.entity_id, "field": field}
        if isinstance(held, tuple):
            return tuple(self._keys.rewrap(sealed, **place) for sealed in held)
        return None if held is None else self._keys.rewrap(held, **place)
