"""One write: a transaction, the project it is about, and the records that it will publish.

The rules of each kind work on this; they never see SQL, Kafka or HTTP.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import orjson

from contracts.registry import ENTITY_LIMIT, Entity, Project
from registry import errors
from registry.entities import M, Stored, key_of, record_of
from registry.site import Site
from registry.store import postgres_entities, publications
from registry.store.postgres_entities import Kept
from servicekit.loop.batches import Connection
from servicekit.web.problems import not_found

Uses = Iterable[Entity]
WRITES_AT_ONCE = 50
"""More than there are: five replicas with ten connections each."""


@dataclass(slots=True)
class Unit:
    """`project_id` None: the operator, about no project in particular. `published`: key -> version to be seen there."""

    connection: Connection
    project_id: str | None
    generation: int
    site: Site
    published: dict[str, int] = field(default_factory=dict)

    @property
    def project(self) -> str:
        """The project that new entities belong to. Raises ProblemError 422 when the operator named none."""
        if self.project_id is None:
            raise errors.project_needed()
        return self.project_id

    async def load(self, model: type[M], id: str, *, lock: str = "") -> Stored[M]:
        """An entity of this project. Raises ProblemError 404, another project's included."""
        found = await postgres_entities.find(self.connection, model, id, lock=lock)
        if found is None or self.project_id not in (None, found.project_id):
            raise not_found(f"{model.KIND} {id}")
        return found

    async def named(self, model: type[M], pointer: str, id: str, *, lock: str = "") -> Stored[M]:
        """An entity that a field of the body names. Raises ProblemError 422 pointing at it."""
        found = await postgres_entities.find(self.connection, model, id, lock=lock)
        if found is None or found.project_id != self.project:
            raise errors.invalid(pointer, f"{model.KIND} {id} was not found.")
        return found

    async def add(self, entity: M, *, extra: dict[str, Any] | None = None, uses: Uses = ()) -> Stored[M]:
        """Make it. Raises ProblemError 409 when its unique name is taken, or the project has as much as it may."""
        if not isinstance(entity, Project):
            await self._hold_project()
        try:
            made = await postgres_entities.insert(self.connection, entity, extra=extra or {})
        except asyncpg.UniqueViolationError:
            raise errors.taken(_name_of(entity)) from None
        await self._use(entity, uses)
        await self._publish(entity, made.version)
        await self.refuse_too_many(entity)
        return made

    async def refuse_too_many(self, entity: Entity) -> None:
        """After it was made. Raises ProblemError 409 when its project now has more of its kind, or of all, than it may."""
        kept = await self._kept(entity)
        most = self.site.limits.counts.get(entity.KIND)
        if most is not None and kept.number > most:
            noun = f"{entity.KIND}s"
            raise errors.too_many(f"{noun.replace('_', ' ')} of a project", f"{noun}_per_project", most)
        self._refuse_size(kept.size)

    async def refuse_growth(self, entity: Entity, before: object, after: object) -> None:
        """After something of it was changed. Raises ProblemError 409 when it grew and its project now has more than it may."""
        if len(orjson.dumps(after)) > len(orjson.dumps(before)):
            self._refuse_size((await self._kept(entity)).size)

    async def count_alone(self, project_id: str) -> None:
        """What is counted from here on holds to the end of this write: others of the project that count wait for it.

        Near the end of a write only: the longer it is held, the more often two wait for each other, which is 409 `busy`.
        """
        await postgres_entities.count_alone(self.connection, project_id)

    async def _kept(self, entity: Entity) -> Kept:
        """What its project has. Far from a limit it is not counted alone: writes at once pass none together there."""
        kept = await postgres_entities.kept(self.connection, entity.owner_id, entity.KIND)
        most = self.site.limits.counts.get(entity.KIND)
        is_near = most is not None and kept.number > most - WRITES_AT_ONCE
        if not is_near and kept.size <= self.site.limits.stored_bytes - WRITES_AT_ONCE * ENTITY_LIMIT:
            return kept
        await self.count_alone(entity.owner_id)
        return await postgres_entities.kept(self.connection, entity.owner_id, entity.KIND)

    def _refuse_size(self, size: int) -> None:
        most = self.site.limits.stored_bytes
        if size > most:
            raise errors.too_many("stored bytes of a project", "stored_bytes_per_project", most)

    async def save(self, entity: M, *, extra: dict[str, Any], uses: Uses | None = None) -> Stored[M]:
        """Store its next version. `uses` None: as before. Raises ProblemError 409 when its unique name is taken."""
        try:
            saved = await postgres_entities.update(self.connection, entity, extra=extra)
        except asyncpg.UniqueViolationError:
            raise errors.taken(_name_of(entity)) from None
        if saved is None:
            raise not_found(f"{entity.KIND} {entity.entity_id}")
        if uses is not None:
            await self._use(entity, uses)
        await self._publish(entity, saved.version)
        return saved

    async def note(self, entity: Entity, extra: dict[str, Any]) -> None:
        """Store what only the registry knows of it: the same version, nothing published."""
        await postgres_entities.note(self.connection, entity, extra)

    async def remove(self, entity: Entity) -> None:
        """Delete it. Raises ProblemError 409 naming those who use it."""
        await self.refuse_if_used(entity)
        await self.drop(entity)

    async def refuse_if_used(self, entity: Entity) -> None:
        """Raise ProblemError 409 naming those who use it."""
        users = await postgres_entities.users(self.connection, entity)
        if isinstance(entity, Project):
            users += await postgres_entities.inhabitants(self.connection, entity.id)
            if entity.own_topics:
                users.append({"kind": "kafka", "id": entity.slug, "name": None})
        if users:
            raise errors.in_use(users)

    async def drop(self, entity: Entity) -> None:
        """Delete it, whoever uses it."""
        version = await postgres_entities.delete(self.connection, entity)
        if version is None:
            raise not_found(f"{entity.KIND} {entity.entity_id}")
        await self._use(entity, ())
        await self._publish(entity, version, deleted=True)

    async def _hold_project(self) -> None:
        await self.load(Project, self.project, lock="FOR SHARE")

    async def _use(self, entity: Entity, uses: Uses) -> None:
        used = sorted({(one.KIND, one.entity_id) for one in uses})
        if not await postgres_entities.use(self.connection, entity, used):
            raise errors.busy()

    async def _publish(self, entity: Entity, version: int, *, deleted: bool = False) -> None:
        record = record_of(entity, version=version, generation=self.generation, deleted=deleted)
        value = record.encode()
        if len(value) > ENTITY_LIMIT:
            raise errors.too_large(entity.KIND, len(value), ENTITY_LIMIT)
        self.published[key_of(record)] = version
        await publications.add(self.connection, [(key_of(record), value)])


def _name_of(entity: Entity) -> str:
    return f"The name {(entity.unique_name or entity.entity_id).rsplit('/', 1)[-1]!r}"
