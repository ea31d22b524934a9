"""Deliveries in hand that are not to be sent any more; the others are marked in their rows."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from dispatcher.model.delivery import Delivery


class Superseded:
    """Messages that were leased when their conversation changed hands. Who is about to send one looks here first."""

    def __init__(self) -> None:
        self._keys: set[UUID] = set()

    def add(self, keys: Iterable[UUID]) -> None:
        """What is superseded while it is leased."""
        self._keys.update(keys)

    def has(self, delivery: Delivery) -> bool:
        """Whether it is not to be sent."""
        return delivery.superseded or delivery.key in self._keys

    def forget(self, delivery: Delivery) -> None:
        """Its attempt is over; its row says the rest."""
        self._keys.discard(delivery.key)
