"""The registry in memory: what the topic's records say, entity by entity, with the look-ups that services need. No I/O.

An entity is kept as the bytes it came in and parsed when somebody asks; the last PARSED_KEPT parsed ones are remembered, as long
as they are of PARSED_BYTES together.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple, TypeAlias

import msgspec
import structlog
from pydantic import ValidationError

from contracts.model import Model
from contracts.registry import ENTITY_MODELS, SNAPSHOT_KEY, Snapshot
from servicekit.kafka.records import Record

PARSED_KEPT = 10_000
PARSED_BYTES = 16 * 1024 * 1024
"""Of JSON; parsed, it takes ten times as much."""
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises, whatever the bytes are: nesting is bounded by the interpreter's own limit."""
Value: TypeAlias = str | tuple[str, ...]


log = structlog.get_logger()


class Stored(msgspec.Struct, gc=False):
    """One living entity. `data` is the JSON of its model."""

    project_id: str
    version: tuple[int, int]
    data: bytes


class Change(NamedTuple):
    """What a record did: `model` None means deleted."""

    kind: str
    id: str
    deleted: bool


class _Envelope(msgspec.Struct):
    kind: str
    id: str
    project_id: str
    version: int
    generation: int = 1
    deleted: bool = False
    data: msgspec.Raw = msgspec.Raw(b"{}")


_envelopes = msgspec.json.Decoder(_Envelope)
_fields = msgspec.json.Decoder(dict[str, Any])


class RegistryIndex:
    """A view's content. Records are applied in the topic's order; an older version never replaces a newer one.

    Kinds in `without` are not kept; asking for one raises KeyError.
    """

    def __init__(self, without: Collection[str] = ()) -> None:
        self._without = frozenset(without)
        self.snapshot: Snapshot | None = None
        self.refused_tokens = frozenset[str]()
        """Ids of those that the registry has everybody refuse."""
        self.refused = 0
        """Records that could not be read."""
        self._living: dict[str, dict[str, Stored]] = {kind: {} for kind in ENTITY_MODELS if kind not in without}
        self._gone: dict[tuple[str, str], tuple[int, int]] = {}
        self._of_project: dict[tuple[str, str], set[str]] = {}
        self._by: dict[tuple[str, str, Value], set[str]] = {}
        self._parsed: OrderedDict[tuple[str, str], Model] = OrderedDict()
        self._parsed_bytes = 0

    def apply(self, record: Record) -> Change | None:
        """Take a record in; None when it changes nothing."""
        key = (record.key or b"").decode("utf-8", "replace")
        if key == SNAPSHOT_KEY:
            self._take_snapshot(record.value)
            return None
        kind, _, id = key.partition("/")
        if kind not in self._living:
            return None
        if record.value is None:
            return self._delete(kind, id, self._version(kind, id))
        try:
            envelope = _envelopes.decode(record.value)
            fields = {} if envelope.deleted else _fields.decode(envelope.data)
            entries = list(_entries(kind, fields))
        except UNREADABLE:
            self.refused += 1
            return None
        version = (envelope.generation, envelope.version)
        if version <= self._version(kind, id):
            return None
        if envelope.deleted:
            return self._delete(kind, id, version)
        self._remove(kind, id)
        self._add(kind, id, Stored(envelope.project_id, version, bytes(envelope.data)), entries)
        return Change(kind, id, False)

    def _take_snapshot(self, value: bytes | None) -> None:
        try:
            self.snapshot = Snapshot.model_validate_json(value) if value else self.snapshot
            self.refused_tokens = frozenset((self.snapshot and self.snapshot.refused_tokens) or ())
        except ValidationError:
            self.refused += 1

    def counts(self) -> Counter[str]:
        """Keys of each kind, delete markers included: what a snapshot counts."""
        found = Counter({kind: len(entities) for kind, entities in self._living.items()})
        found.update(kind for kind, _ in self._gone)
        return found

    @property
    def complete(self) -> bool:
        """Whether a snapshot was seen and all that it counts is here (guarantees.md 7.1), but for kinds that are not kept:
        those left out, and those of a later release."""
        if self.snapshot is None:
            return False
        counts = self.counts()
        return all(counts[kind] >= count for kind, count in self.snapshot.counts.items() if kind in self._living)

    def get(self, kind: str, id: str) -> Model | None:
        """The entity, None when it is not known, or is none as this release knows them. A token that the registry refuses
        is as unknown as one that never was."""
        if kind == "token" and id in self.refused_tokens:
            return None
        parsed = self._parsed.get((kind, id))
        if parsed is not None:
            self._parsed.move_to_end((kind, id))
            return parsed
        stored = self._living[kind].get(id)
        if stored is None:
            return None
        try:
            model = ENTITY_MODELS[kind].model_validate_json(stored.data)
        except ValidationError as error:
            log.error("registry_view.unreadable", kind=kind, id=id, error=str(error)[:500])
            return None
        self._parsed[kind, id] = model
        self._parsed_bytes += len(stored.data)
        while len(self._parsed) > PARSED_KEPT or (self._parsed_bytes > PARSED_BYTES and len(self._parsed) > 1):
            self._forget(*next(iter(self._parsed)))
        return model

    def _forget(self, kind: str, id: str) -> None:
        if self._parsed.pop((kind, id), None) is not None:
            self._parsed_bytes -= len(self._living[kind][id].data)

    def data(self, kind: str, id: str) -> bytes | None:
        """The entity's JSON, None when it is not known."""
        stored = self._living[kind].get(id)
        return stored.data if stored is not None else None

    def find(self, kind: str, index: str, value: Value) -> Iterator[Model]:
        """The entities under that value of a declared index, in the order of their ids. Raises KeyError for no index."""
        if index not in ENTITY_MODELS[kind].INDEXES or kind in self._without:
            raise KeyError(kind, index)
        yield from self._models(kind, self._by.get((kind, index, value), ()))

    def all(self, kind: str, project_id: str) -> Iterator[Model]:
        """The project's entities of that kind, in the order of their ids."""
        if kind in self._without:
            raise KeyError(kind)
        yield from self._models(kind, self._of_project.get((kind, project_id), ()))

    def ids(self, kind: str) -> list[str]:
        """Of the living entities of that kind."""
        return list(self._living[kind])

    def deleted(self, kind: str, id: str) -> bool:
        """Whether a delete of it was seen. What was never seen is not deleted."""
        return id not in self._living[kind] and (kind, id) in self._gone

    def differences(self, other: RegistryIndex) -> Iterator[tuple[str, str]]:
        """(kind, id) of what the two hold in different versions, or only one of them holds or refuses."""
        for kind, entities in self._living.items():
            theirs = other._living[kind]
            for id in {*entities, *theirs}:
                if self._version(kind, id) != other._version(kind, id):
                    yield kind, id
        yield from (("token", id) for id in self.refused_tokens ^ other.refused_tokens)

    def _models(self, kind: str, ids: Any) -> Iterator[Model]:
        for id in sorted(ids):
            model = self.get(kind, id)
            if model is not None:
                yield model

    def _version(self, kind: str, id: str) -> tuple[int, int]:
        stored = self._living[kind].get(id)
        return stored.version if stored is not None else self._gone.get((kind, id), (0, 0))

    def _delete(self, kind: str, id: str, version: tuple[int, int]) -> Change | None:
        known = self._remove(kind, id)
        self._gone[kind, id] = version
        return Change(kind, id, True) if known else None

    def _add(self, kind: str, id: str, stored: Stored, entries: list[tuple[str, str, Value]]) -> None:
        self._living[kind][id] = stored
        self._gone.pop((kind, id), None)
        self._of_project.setdefault((kind, stored.project_id), set()).add(id)
        for entry in entries:
            self._by.setdefault(entry, set()).add(id)

    def _remove(self, kind: str, id: str) -> bool:
        self._forget(kind, id)
        stored = self._living[kind].pop(id, None)
        if stored is None:
            return False
        _discard(self._of_project, (kind, stored.project_id), id)
        for entry in _entries(kind, _fields.decode(stored.data)):
            _discard(self._by, entry, id)
        return True


def _entries(kind: str, fields: dict[str, Any]) -> Iterator[tuple[str, str, Value]]:
    for index, names in ENTITY_MODELS[kind].INDEXES.items():
        values = tuple(str(fields.get(name)) for name in names)
        yield kind, index, values if len(values) > 1 else values[0]


def _discard(index: dict[Any, set[str]], entry: Any, id: str) -> None:
    ids = index.get(entry)
    if ids is not None:
        ids.discard(id)
        if not ids:
            del index[entry]
