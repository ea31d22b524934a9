"""Events come at least once; a program that minds remembers their ids."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Protocol, TypeVar

from switchhook_sdk.event import CloudEvent

Event = TypeVar("Event", bound=CloudEvent[Any])


class SeenIds(Protocol):
    """The ids of handled events, in a store of yours. Repeats come soon, or after an outage: 8 days are enough to keep them,
    since the topic keeps events for 7."""

    async def has(self, id: str) -> bool:
        """Whether the event was handled."""

    async def add(self, id: str) -> None:
        """It is handled now."""


def once(seen: SeenIds) -> Callable[[Callable[[Event], Awaitable[None]]], Callable[[Event], Awaitable[None]]]:
    """Leave out events whose id the store has; the id goes there after the handler.

    Who is killed between the two handles that event again. Where even that must not be, the handler itself writes the id, in
    the transaction that writes what it does.
    """

    def decorate(handler: Callable[[Event], Awaitable[None]]) -> Callable[[Event], Awaitable[None]]:
        @wraps(handler)
        async def handle(event: Event) -> None:
            if not await seen.has(event.id):
                await handler(event)
                await seen.add(event.id)

        return handle

    return decorate
