"""Contacts that a broadcast's walk has read and not come to yet: it goes in small steps, and reads for several of them at once."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from flow_engine.store.broadcast_walk import Person, Walk

READ_AT_ONCE = 100
"""Contacts."""
KEPT_SECONDS = 5.0
"""What was read so long ago is read again. What changes meanwhile is seen by the turn, which asks everything once more."""

Read = Callable[[Walk, int], Awaitable[tuple[list[Person], str | None]]]
"""Those behind the walk's place, so many at most, and behind whom it goes on; None: there are no more."""


@dataclass(slots=True)
class _Kept:
    persons: list[Person]
    following: str | None
    place: str
    """Behind whom they come: a walk that stands elsewhere was taken there by another process, or did not get on."""
    until: float


class ReadingAhead:
    """Of one process: the next contacts of each of its walks."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._kept: dict[str, _Kept] = {}

    async def next(self, walk: Walk, most: int) -> tuple[list[Person], str | None]:
        """The next contacts, `most` or fewer, and behind whom it goes on after all of them; None: there are no more."""
        kept = self._kept.get(walk.id)
        if kept is None or kept.place != walk.place or kept.until < time.monotonic():
            persons, following = await self._read(walk, READ_AT_ONCE)
            kept = self._kept[walk.id] = _Kept(persons, following, walk.place, time.monotonic() + KEPT_SECONDS)
        persons = kept.persons[:most]
        return persons, persons[-1].id if len(persons) < len(kept.persons) else kept.following

    def went_on(self, walk: Walk, place: str | None) -> None:
        """The walk has gone on to this contact."""
        kept = self._kept.pop(walk.id, None)
        ids = [] if kept is None else [person.id for person in kept.persons]
        if kept is not None and place in ids[:-1]:
            kept.persons, kept.place = kept.persons[ids.index(place) + 1 :], place
            self._kept[walk.id] = kept

    def keep(self, ids: Collection[str]) -> None:
        """Forget the walks that are none of these."""
        self._kept = {id: kept for id, kept in self._kept.items() if id in ids}
