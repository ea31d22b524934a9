"""What the twin of PostgresDeliveries keeps."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from dispatcher.model.states import State
from dispatcher.store.rows import NewRow, ResultRow
from servicekit.kafka.records import Outgoing


@dataclass
class Row:
    """A delivery as its row has it."""

    new: NewRow
    state: State
    attempts: int = 0
    due: datetime | None = None
    lease: UUID | None = None
    error: str | None = None
    superseded: bool = False
    finished: bool = False
    notes: list[ResultRow] = field(default_factory=list)
    """The attempts that the log lists."""


@dataclass
class Known:
    """What is known of a destination."""

    failures: int = 0
    failing_since: datetime | None = None
    told: bool = False
    paused_until: datetime | None = None
    reason: str | None = None


@dataclass
class Tables:
    """All that is kept; what a transaction that fails puts back."""

    rows: dict[tuple[UUID, date], Row] = field(default_factory=dict)
    looks: dict[int, datetime | None] = field(default_factory=dict)
    destinations: dict[str, Known] = field(default_factory=dict)
    outbox: dict[UUID, tuple[datetime, list[Outgoing]]] = field(default_factory=dict)
    days: set[date] = field(default_factory=set)
    erased: set[str] = field(default_factory=set)
    replicas: dict[str, datetime] = field(default_factory=dict)
    age: int = 0
