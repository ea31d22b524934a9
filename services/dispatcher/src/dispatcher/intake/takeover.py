"""A batch becomes delivery rows, already leased, together with the checkpoint; first attempts follow from memory.

The fast path is the slow path with the read skipped: what has no room here is left pending, and a claim finds it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from uuid import UUID, uuid4

from dispatcher.model.delivery import Delivery
from dispatcher.model.states import State
from dispatcher.model.superseded import Superseded
from dispatcher.scheduling.destinations import Destinations
from dispatcher.scheduling.holdings import Holdings
from dispatcher.store.port import STRETCH_BYTES, DeliveryStore, Lease, Place
from servicekit.failpoints import broken
from servicekit.loop.batches import Commit, Connection, DeadRecord


class Stretch:
    """A lane's head that is sent at once, and what of its batch is sent right behind it."""

    def __init__(self, head: Delivery, most: int) -> None:
        self._head, self._most, self._size = head, most, len(head.payload)
        self._following = list[Delivery]()

    def add(self, delivery: Delivery, *, may_follow: bool) -> None:
        """The next of the lane. What may not follow, or has no room, ends the stretch: what comes after it waits for it."""
        self._size += len(delivery.payload)
        if may_follow and len(self._following) + 1 < self._most and self._size <= STRETCH_BYTES:
            self._following.append(delivery)
        else:
            self._most = 0

    def joined(self) -> Delivery:
        """The head, with the rest as its `following`."""
        self._head.following = tuple(self._following)
        return self._head


class Takeover:
    """Shared by both handlers. `look_after(lanes)`: have it looked at whether their heads are blocked."""

    def __init__(
        self,
        store: DeliveryStore,
        destinations: Destinations,
        holdings: Holdings,
        look_after: Callable[[Iterable[str]], None],
        *,
        lease_seconds: float,
        first_attempts: bool = True,
        superseded: Superseded | None = None,
    ) -> None:
        self._store, self._destinations, self._holdings = store, destinations, holdings
        self._look_after = look_after
        self._superseded = superseded or Superseded()
        self._lease_seconds, self._first_attempts = lease_seconds, first_attempts
        self._days: set[date] = set()

    async def take(self, name: str, partitions: Iterable[int], connection: Connection) -> None:
        """The lanes of these partitions of `actions` or `events` are this process's (again)."""
        sources = [source_of(name, each) for each in partitions]
        self._look_after(await self._holdings.take(sources, self._destinations, self._store.on(connection)))

    def leave(self, name: str, partitions: Iterable[int]) -> None:
        """They are another's, or about to be taken anew."""
        self._holdings.leave([source_of(name, each) for each in partitions], self._destinations)

    def forget(self, contact_ids: Collection[str]) -> None:
        """These contacts are erased: what is in memory for them and not on the wire is not sent."""
        self._destinations.drop(lambda delivery: delivery.contact_id in contact_ids)

    async def commit(
        self, deliveries: Sequence[Delivery], dead: list[DeadRecord], superseded: Mapping[str, int] | None = None
    ) -> Commit:
        """What the partition loop has to save, and what to start afterwards. `superseded`: lanes, as Session.supersede."""
        if not (deliveries or superseded):
            return Commit(dead=dead)
        if broken("dedupe"):
            for each in deliveries:
                each.key = uuid4()
        await self._prepare(deliveries)
        lease, states, in_hand = Lease(self._lease_seconds), dict[UUID, State](), set[UUID]()

        async def save(connection: Connection) -> None:
            session = self._store.on(connection)
            if deliveries:
                states.update(await session.take_over(deliveries, lease))
            if superseded:
                in_hand.update(await session.supersede(superseded))

        def after() -> None:
            self._superseded.add(in_hand)
            self._start(deliveries, states, lease)

        return Commit(save=save, dead=dead, after=after)

    async def _prepare(self, deliveries: Sequence[Delivery]) -> None:
        """Partitions of days, numbers of queues, and who gets an attempt at once."""
        days = {each.day for each in deliveries} - self._days
        if days:
            async with self._store.session() as session:
                await session.ensure_days(days)
            self._days |= days
        if self._first_attempts:
            await self._destinations.make_room(
                Counter(each.destination for each in deliveries if each.state != "discarded")
            )
        places = [queue_of(each) for each in deliveries]
        ids = await self._store.queue_ids(places)
        for each, place in zip(deliveries, places, strict=True):
            each.queue_id = ids[place]
        self._share_room([each for each in deliveries if each.state != "discarded"])

    def _share_room(self, deliveries: Sequence[Delivery]) -> None:
        """The first ones of each destination are attempted at once, as many as it has room for; the others are pending."""
        room: dict[str, int] = {}
        for each in deliveries:
            left = room.get(each.destination)
            if left is None:
                left = self._destinations.room(each.destination, each.project_id) if self._first_attempts else 0
            each.state = "in_flight" if left > 0 else "pending"
            room[each.destination] = left - 1
        for destination, left in room.items():
            if left < 0:
                self._destinations.left_behind(destination)

    def _start(self, deliveries: Sequence[Delivery], states: dict[UUID, State], lease: Lease) -> None:
        started, stretches, looked_after = list[Delivery](), dict[str, Stretch](), set[str]()
        for each in deliveries:
            state = states.pop(each.key, None)  # Once: its repeat in the same batch was not inserted.
            each.lease, each.lease_ends = lease.id, lease.ends
            if state == "in_flight" and each.lane is not None:
                stretches[each.lane] = Stretch(each, self._destinations.longest_stretch(each))
            elif state == "in_flight":
                started.append(each)
            elif each.lane in stretches:
                stretches[each.lane].add(each, may_follow=state == "blocked" and each.state == "in_flight")
            elif each.lane is not None and state != "pending":
                looked_after.add(each.lane)
        self._destinations.offer(started + [stretch.joined() for stretch in stretches.values()])
        if looked_after:
            self._look_after(looked_after)


def source_of(name: str, partition: int) -> str:
    """What the rows of a partition's lanes name as theirs."""
    return f"{name}/{partition}"


def queue_of(delivery: Delivery) -> Place:
    """Rows of lanes are in their partition's own queue; any dispatcher may claim the others."""
    return Place(delivery.destination, delivery.source if delivery.lane is not None else "", delivery.project_id)
