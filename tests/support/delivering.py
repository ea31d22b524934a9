"""Deliveries in a store in memory, and a Kafka that is a list."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from dispatcher.model.delivery import Delivery
from dispatcher.store.port import Lease, Place
from servicekit.kafka.records import Outgoing
from support.deliveries_in_memory import DeliveriesInMemory
from support.leased import delivery

LEASE_SECONDS = 60.0


class Published:
    """A publisher. `fails`: what the next calls raise."""

    def __init__(self) -> None:
        self.records: list[Outgoing] = []
        self.fails: list[Exception] = []

    async def publish_many(self, records: Sequence[Outgoing]) -> None:
        if self.fails:
            raise self.fails.pop(0)
        self.records += records

    def types(self) -> list[str]:
        """The CloudEvents types, as they were written."""
        return [dict(each.headers)["ce_type"].decode().removeprefix("dev.switchhook.") for each in self.records]


async def new(store: DeliveriesInMemory, *, to: str = "endpoint:e1", lane: str | None = None, **more: Any) -> Delivery:
    """A delivery with its queue, not yet kept."""
    place = Place(to, more.get("source", "events/0") if lane else "", more.get("project_id", ""))
    today: date = await store.today()
    queue_id = (await store.queue_ids([place]))[place]
    return delivery(**({"destination": to, "lane": lane, "day": today, "queue_id": queue_id, "lease": None} | more))


async def leased(store: DeliveriesInMemory, *others: Delivery, seconds: float = LEASE_SECONDS, **more: Any) -> Delivery:
    """A delivery that is being sent, taken over together with the `others`."""
    one, lease = await new(store, **more), Lease(seconds)
    await store.take_over([one, *others], lease)
    one.lease, one.lease_ends = lease.id, lease.ends
    return one
