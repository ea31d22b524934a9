"""What passes between the partition loop and a service's handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from servicekit.database import Connection
from servicekit.kafka.records import Outgoing, Record

__all__ = ["Batch", "Commit", "Connection", "DeadRecord", "Handler", "Infrastructure", "save_nothing"]


class Infrastructure(Exception):
    """Postgres, Kafka or another part that all events need is away: the partition is held and the batch tried again."""


class DeadRecord(NamedTuple):
    """A record that cannot be processed: `code` is a word of contracts.dlq.ERROR_CODE, `message` a sentence."""

    record: Record
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Records to apply, in order within each partition; repeats (guarantees.md 2.5) are already taken out.

    `epochs` is partition -> the epoch counter under which this process holds it.
    """

    records: list[Record]
    epochs: dict[int, int]
    repeats: frozenset[tuple[int, int]] = frozenset()
    """(partition, offset) of what was taken out."""

    def is_repeat(self, record: Record) -> bool:
        """Whether the record's effect is already known here. Always False for what is in `records`."""
        return (record.partition, record.offset) in self.repeats


async def save_nothing(connection: Connection) -> None:
    """For a batch that changes no table."""


@dataclass(slots=True)
class Commit:
    """What a batch comes to: state to save, records to write, and what cannot be processed."""

    save: Callable[[Connection], Awaitable[None]] = save_nothing
    """Runs inside the transaction, after the fence's compare-and-set. Keys sorted, no user code, no I/O but SQL."""
    outgoing: list[tuple[Record, list[Outgoing]]] = field(default_factory=list)
    """Effects in order, beside the record that caused them; the loop adds the headers that name their source."""
    dead: list[DeadRecord] = field(default_factory=list)
    """Goes to the service's dead-letter topic, in the same transaction."""
    after: Callable[[], Awaitable[None] | None] | None = None
    """Runs right after the commit, while the records are being written. Its exceptions are logged, nothing else."""
    applied: int | None = None
    """How many of the batch's records this covers, from the first; None: all. The rest comes again, in another batch."""

    @property
    def empty(self) -> bool:
        """Whether the batch has no effect at all."""
        return self.save is save_nothing and self.after is None and not (self.outgoing or self.dead)


class Handler(Protocol):
    """A service's side of the loop."""

    topic: str

    async def apply(self, batch: Batch) -> Commit:
        """Load and compute; no transaction is open, nothing is written yet.

        Raise Infrastructure (or let asyncpg's, Kafka's and the system's errors pass) to have the batch tried again.
        After any other exception the records come one by one; one that fails three times goes to `park`.
        """
        ...

    async def park(self, record: Record, error: Exception, connection: Connection) -> list[Outgoing]:
        """Inside a fenced transaction, in place of `apply`: note that the record failed, hold what depends on it.

        The loop writes the record to the dead-letter topic itself (code `failed`); what is returned goes out beside it.
        """
        ...

    async def on_assigned(self, partitions: set[int], connection: Connection) -> None:
        """The partitions are this process's (again): take over what a predecessor left. May come twice for the same."""
        ...

    def on_revoked(self, partitions: set[int]) -> None:
        """Forget everything cached of these partitions. Comes before each `on_assigned`, and when they are gone."""
        ...
