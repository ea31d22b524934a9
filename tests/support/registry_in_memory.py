"""The registry view without Kafka: its own index, filled by the test."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from contracts.registry import ENTITY_MODELS, TOPIC, EntityRecord, entity_key
from servicekit.kafka.records import Record
from servicekit.registry_view.index import RegistryIndex
from servicekit.registry_view.stamps import Stamp

_KINDS = {model: kind for kind, model in ENTITY_MODELS.items()}


class ViewInMemory:
    """The look-ups of servicekit.registry_view.view.RegistryView."""

    def __init__(self, *models: Any) -> None:
        self._index = RegistryIndex()
        self._listeners: list[Callable[[str, str, Any], None]] = []
        self.offset, self.ready, self.generation = -1, True, 1
        self.put(*models)

    def put(self, *models: Any) -> None:
        """Entities as they are from now on."""
        for model in models:
            kind: Any = _KINDS[type(model)]
            id = f"{model.flow_id}/{model.version}" if kind == "flow_version" else model.id
            project_id = model.id if kind == "project" else model.project_id
            self._apply(kind, id, project_id, data=model.model_dump(mode="json", exclude_none=True))

    def delete(self, kind: Any, id: str, project_id: str) -> None:
        """An entity is gone."""
        self._apply(kind, id, project_id, deleted=True)

    def _apply(self, kind: Any, id: str, project_id: str, **fields: Any) -> None:
        self.offset += 1
        body = EntityRecord(kind=kind, id=id, project_id=project_id, version=self.offset + 1, **fields)
        self._index.apply(Record(TOPIC.name, 0, self.offset, 0, entity_key(kind, id).encode(), body.encode()))
        for listener in self._listeners:
            listener(kind, id, self.get(kind, id))

    async def current(self) -> bool:
        """Whether all there is has been read."""
        return True

    def on_change(self, listener: Callable[[str, str, Any], None]) -> None:
        self._listeners.append(listener)

    def get(self, kind: str, id: str) -> Any:
        return self._index.get(kind, id)

    def data(self, kind: str, id: str) -> bytes | None:
        return self._index.data(kind, id)

    def ids(self, kind: str) -> list[str]:
        return self._index.ids(kind)

    def all(self, kind: str, project_id: str) -> list[Any]:
        return list(self._index.all(kind, project_id))

    def find(self, kind: str, index: str, value: Any) -> Any:
        return next(self._index.find(kind, index, value), None)

    def find_all(self, kind: str, index: str, value: Any) -> list[Any]:
        return list(self._index.find(kind, index, value))

    def deleted(self, kind: str, id: str) -> bool:
        return self._index.deleted(kind, id)

    async def knows(self, stamps: Iterable[Stamp], timeout: float) -> bool:
        """Nothing comes by itself here, so nothing is waited for; the topic is taken to hold what the stamps name."""
        return all(stamp.offset <= self.offset for stamp in stamps)
