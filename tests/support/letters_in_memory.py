"""The twin of registry.kafka.dead_letters.DeadLetters: letters in a list."""

from __future__ import annotations

from registry.kafka.dead_letters import Letter, Place
from servicekit.kafka.records import Outgoing, Record, dead_letter


class LettersInMemory:
    """`kept` in the order of their places; `published` is what was released."""

    def __init__(self) -> None:
        self.kept: list[Letter] = []
        self.published: list[Outgoing] = []

    def add(self, service: str, record: Record, code: str, *, partition: int = 0) -> Place:
        """Lay one down as `service` would."""
        made = dead_letter(service, record, code, f"it is {code}")
        place = Place(service, partition, sum(one.place[:2] == (service, partition) for one in self.kept))
        letter = Record(
            made.topic, partition, place.offset, 1_700_000_000_000, made.key, made.value, tuple(made.headers)
        )
        self.kept.append(Letter(place, letter))
        self.kept.sort(key=lambda one: one.place)
        return place

    async def after(self, service: str, last: Place | None, limit: int) -> list[Letter]:
        theirs = [one for one in self.kept if one.place.service == service]
        return [one for one in theirs if last is None or one.place > last][:limit]

    async def find(self, place: Place) -> Letter | None:
        return next((one for one in self.kept if one.place == place), None)

    async def publish(self, record: Outgoing) -> None:
        self.published.append(record)
