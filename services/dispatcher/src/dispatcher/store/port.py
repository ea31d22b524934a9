"""DeliveryStore: all that the dispatcher asks of what it keeps. `store.postgres` answers, and a twin in memory in tests.

Times are the database's own. A *source* is `<actions or events>/<partition>`; a source of '' is everybody's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, timedelta
from typing import NamedTuple, Protocol, TypeVar
from uuid import UUID

from dispatcher.model.delivery import Delivery, Result
from dispatcher.model.keys import new_key
from dispatcher.model.states import State
from servicekit.boot_clock import boot_seconds
from servicekit.kafka.records import Outgoing
from servicekit.loop.batches import Connection

T = TypeVar("T")

LEFT_AT_ONCE = 50
"""Rows of the result outbox that are published again at a time."""
DISCARDED_AT_ONCE = 500
"""Deliveries of a day that is to be dropped that are ended together."""

CLAIMED_BYTES = 8 * 1024 * 1024
"""A claim takes deliveries until their payloads come to so much; the first one whatever its size."""


STRETCH_BYTES = 32 * 1024
"""What the payloads of a stretch come to at most; its first delivery may have any size."""


class Lease:
    """One grant: its id in the database, and its end on our boot clock, which was read before the database's."""

    def __init__(self, seconds: float) -> None:
        self.id, self.ends, self.interval = new_key(), boot_seconds() + seconds, timedelta(seconds=seconds)


class Place(NamedTuple):
    """What a queue is for: a destination's deliveries that any dispatcher may claim (source ''), or a source's lanes."""

    destination: str
    source: str
    project_id: str = ""
    """Whose destination it is; '': not known yet, of a queue that an older version made."""


class Queue(NamedTuple):
    """A queue in which something may be due."""

    id: int
    destination: str
    project_id: str = ""


class Recorded(NamedTuple):
    """`mine`: the ids of the outcomes that were saved. `recovered`: destinations that work again after as many failures as
    open a circuit, whichever process it was open in."""

    mine: set[UUID]
    recovered: set[str]


class Failing(NamedTuple):
    """A destination that failed just now. `told`: its owner knows. `too_long`: without one success for as long as asked."""

    destination: str
    told: bool
    too_long: bool


class Pause(NamedTuple):
    """A destination is to be left alone for so long; `reason` is a word."""

    destination: str
    seconds: float
    reason: str | None


class Unpublished(NamedTuple):
    """A row of the result outbox: records that Kafka may not have yet."""

    name: UUID
    outgoing: list[Outgoing]


class Session(Protocol):
    """What is done on one connection, in its transaction if one is open."""

    async def take_over(self, deliveries: Sequence[Delivery], lease: Lease) -> dict[UUID, State]:
        """Insert rows in the wanted state, inside the fenced transaction: id -> state of those that were not there yet.

        Those `in_flight` are leased. Whoever's lane has an unfinished row, or another one of the batch before it, is
        `blocked`; it has the lease, too, for who sends it in the stretch of its batch's head. That their queues are looked at when the leases end is missed where a look at the queue ends at the same
        moment; `sweep` mends that, and it matters only after a crash.
        """
        ...

    async def supersede(self, lanes: Mapping[str, int]) -> set[UUID]:
        """The bot's messages of these lanes with a lower owner epoch than said here are not to be sent any more.

        Those that wait for an attempt are due at once: it ends them. Returns those that are leased: who has them is to be told.
        """
        ...

    async def take_lanes(self, sources: Iterable[str], in_hand: Iterable[UUID]) -> None:
        """A new owner of lanes makes their heads due, leased by a predecessor or left blocked by its crash.

        What it is sending itself (`in_hand`) goes on, and so does what it has sent and not recorded yet.
        """
        ...

    async def due_queues(self, sources: Iterable[str]) -> list[Queue]:
        """Queues in which something may be due, at most 500: the common ones, and these sources' own.

        One project after the other, of each one destination after the other, and of a destination the longest due first:
        however many queues of a project are due, the first of each other project stands before its second.
        """
        ...

    async def claim(self, queue: Queue, limit: int, lease: Lease) -> list[Delivery]:
        """Lease at most `limit` due deliveries of a queue, or CLAIMED_BYTES of them, the longest due first; each counts one
        attempt more. One whose lease has run out is `cut_off`."""
        ...

    async def look_again(self, queue: Queue) -> None:
        """The queue's next look: when its first row is due."""
        ...

    async def look_later(self, queue: Queue, seconds: float) -> None:
        """Do not look at the queue for so long, whatever is due in it: its destination takes nothing."""
        ...

    async def sweep_queues(self) -> None:
        """Mend queues whose next look is later than what is due in them."""
        ...

    async def sweep_lanes(self) -> None:
        """Look how far back lanes reach that have something to send, so that looks into them need not go further."""
        ...

    async def record(self, results: Sequence[Result], working: Sequence[str], published: Sequence[UUID]) -> Recorded:
        """Save outcomes and attempts where the lease is still the result's.

        In the same statement: the destinations that are `working` have no failures any more, and the rows of the result
        outbox that Kafka has (`published`) go.
        """
        ...

    async def unblock(self, lanes: Mapping[str, int], lease: Lease) -> list[Delivery]:
        """Lease the head of each lane whose head is blocked, and as its `following` what is blocked right behind it, so many
        in all at most, or STRETCH_BYTES of them. What follows stays `blocked`, due at no time: only its lease is another one.

        Only the lanes' owner calls this, and for no lane of which it has a stretch in hand.
        """
        ...

    async def note_failures(self, failures: Mapping[str, int], too_long: timedelta) -> list[Failing]:
        """Count failures, by destination."""
        ...

    async def note_told(self, destinations: Sequence[str]) -> None:
        """Their owners know that they fail; forgotten with their next success."""
        ...

    async def pause(self, pauses: Sequence[Pause]) -> set[str]:
        """Have destinations left alone by every dispatcher; a longer pause that is there already stays.

        Returns the destinations whose pause for that reason begins now.
        """
        ...

    async def resume(self, destinations: Sequence[str], reasons: Sequence[str]) -> None:
        """End their pauses for one of these reasons; what was put off is due."""
        ...

    async def look_now(self, destinations: Sequence[str]) -> None:
        """Look at their queues at once."""
        ...

    async def pauses(self) -> dict[str, float]:
        """Destination -> seconds that it is still paused."""
        ...

    async def keep_results(self, outgoing: Sequence[Outgoing]) -> UUID:
        """Add a row to the result outbox; its name."""
        ...

    async def forget_results(self, names: Sequence[UUID]) -> None:
        """Kafka has these rows' records."""
        ...

    async def unpublished(self, age: timedelta) -> list[Unpublished]:
        """Rows of the result outbox that are older than that, the oldest first, at most LEFT_AT_ONCE.

        They count as new from then on, so that no other replica publishes them, too.
        """
        ...

    async def erase(self, contact_ids: Sequence[str], conversation: str) -> None:
        """Forget what is kept of these contacts, and what Kafka is still to hear about the conversation: unfinished deliveries
        end as cancelled, the content of all goes. What comes for them from now on is cancelled as it is taken over.

        Inside the fenced transaction of an actions record. What the loop over events has in hand is waited for.
        """
        ...

    async def forget_erased(self) -> None:
        """Forget contacts of which nothing can come any more."""
        ...

    async def ensure_days(self, days: Iterable[date]) -> None:
        """Deliveries of these days can be kept from now on."""
        ...

    async def days_before(self, oldest: date) -> list[date]:
        """Days before that one of which something is kept, in order."""
        ...

    async def discard_some(self, day: date, why: str) -> list[Delivery]:
        """End at most DISCARDED_AT_ONCE unfinished deliveries of a day as discarded; none when there is nothing left."""
        ...

    async def drop_day(self, day: date) -> bool:
        """Forget all deliveries and attempts of a day. False when it has to wait: somebody reads them, as a backup does."""
        ...

    async def today(self) -> date:
        """The day by the database's clock."""
        ...

    async def live_replicas(self, instance: str) -> int:
        """Say that this one lives; how many do, itself included. What is kept gets older by one."""
        ...

    async def age(self) -> int:
        """A number that has grown about once a second while any dispatcher worked; a backup has that of its time."""
        ...


class DeliveryStore(Protocol):
    """Deliveries, their attempts, what is due where, what is known about destinations, and results on their way."""

    def session(self) -> AbstractAsyncContextManager[Session]:
        """A session of its own, each of whose steps is a transaction."""
        ...

    def on(self, connection: Connection) -> Session:
        """A session in the transaction that is open on this connection."""
        ...

    async def transaction(self, work: Callable[[Session], Awaitable[T]]) -> T:
        """Run `work` in one transaction. Raises OutcomeUnknown when the commit's result is; after others it was undone."""
        ...

    async def queue_ids(self, places: Iterable[Place]) -> Mapping[Place, int]:
        """The queues' ids, those of `places` and maybe others; a queue that is not there is made."""
        ...

    async def close(self) -> None:
        """Let go of what `transaction` holds."""
        ...
