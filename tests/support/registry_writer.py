"""Writes a registry topic as the registry's relay does: entities, deletes and the snapshot that makes a view whole."""

from __future__ import annotations

from collections import Counter
from typing import Any

from aiokafka import AIOKafkaProducer

from contracts.model import Model
from contracts.registry import ENTITY_MODELS, SNAPSHOT_KEY, TOPIC, EntityRecord, Snapshot, entity_key
from servicekit.kafka.cluster import Cluster

_KINDS = {model: kind for kind, model in ENTITY_MODELS.items()}


class RegistryWriter:
    """A registry topic of a test. Versions rise with every write; call `snapshot` once the first entities are written."""

    def __init__(self, cluster: Cluster) -> None:
        self._producer = AIOKafkaProducer(bootstrap_servers=cluster.servers, enable_idempotence=True, acks="all")
        self.topic = cluster.named(TOPIC.name)
        self.offset = -1
        """Of the last record written."""
        self._version = 0
        self._keys: Counter[str] = Counter()

    async def __aenter__(self) -> RegistryWriter:
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def put(self, *models: Any) -> None:
        """Write entities as they are now."""
        for model in models:
            kind = _KINDS[type(model)]
            id = f"{model.flow_id}/{model.version}" if kind == "flow_version" else model.id
            project = model.id if kind == "project" else model.project_id
            await self._write(kind, id, project, data=model.model_dump(mode="json", exclude_none=True))

    async def delete(self, kind: Any, id: str, project_id: str) -> None:
        """Write that an entity is gone."""
        await self._write(kind, id, project_id, deleted=True)

    async def snapshot(self, *, stack_id: str | None = None) -> None:
        """Write the marker that says how much there is."""
        await self._send(SNAPSHOT_KEY, Snapshot(generation=1, counts=dict(self._keys), stack_id=stack_id))

    async def _write(self, kind: Any, id: str, project_id: str, **fields: Any) -> None:
        self._version += 1
        if not fields.get("deleted"):
            self._keys[kind] += 1
        record = EntityRecord(kind=kind, id=id, project_id=project_id, version=self._version, **fields)
        await self._send(entity_key(kind, id), record)

    async def _send(self, key: str, record: Model) -> None:
        sent = await self._producer.send_and_wait(self.topic, record.encode(), key.encode())
        self.offset = sent.offset
