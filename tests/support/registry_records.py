"""Records of the registry's topic, as the registry writes them."""

from __future__ import annotations

from typing import Any

from contracts.registry import SNAPSHOT_KEY, EntityKind, EntityRecord, Snapshot, entity_key
from servicekit.kafka.records import Outgoing

PROJECT = "project-1"


def entity(
    topic: str, kind: EntityKind, id: str, version: int = 1, *, deleted: bool = False, generation: int = 1, **data: Any
) -> Outgoing:
    """An entity as of a version; its id and project are filled in."""
    body = EntityRecord(
        kind=kind,
        id=id,
        project_id=PROJECT,
        generation=generation,
        version=version,
        deleted=deleted,
        data={} if deleted else {"id": id, "project_id": PROJECT, **data},
    )
    return Outgoing(topic, entity_key(kind, id).encode(), body.encode(), [])


def token(topic: str, id: str, version: int = 1, *, deleted: bool = False, generation: int = 1) -> Outgoing:
    """A token whose hash is its id with an x before."""
    return entity(
        topic,
        "token",
        id,
        version,
        deleted=deleted,
        generation=generation,
        name=f"v{version}",
        sha256=f"x{id}",
        scopes=["admin"],
    )


def tombstone(topic: str, kind: str, id: str) -> Outgoing:
    return Outgoing(topic, entity_key(kind, id).encode(), None, [])


def snapshot(topic: str, **counts: int) -> Outgoing:
    return Outgoing(topic, SNAPSHOT_KEY.encode(), Snapshot(generation=1, counts=counts).encode(), [])
