"""Which events of a batch are copied: those of projects that have topics of their own. A look in a dictionary for each event, and
not even that where no project has any."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any, Protocol

from contracts.cloudevents import PROJECT
from contracts.registry import Project
from dispatcher.copies import positions
from dispatcher.copies.positions import Span
from servicekit.kafka.records import Record
from servicekit.loop.batches import Commit, Connection
from servicekit.registry_view.view import RegistryView

Taken = Mapping[Span, list[Record]]


class Copier(Protocol):
    """copies.copier.Copier."""

    def set_project(self, id: str, slug: str | None) -> None:
        """It has topics of its own, or no longer."""

    def offer(self, taken: Taken) -> None:
        """To be copied."""

    async def take(self, partitions: Collection[int], connection: Connection) -> None:
        """Taken on."""

    def leave(self, partitions: Collection[int]) -> None:
        """Let go."""


class Copies:
    """The handler's side of copying."""

    def __init__(self, view: RegistryView, copier: Copier) -> None:
        self._copier = copier
        self._projects: dict[bytes | None, str] = {}
        """What the header says -> the project's id."""
        for id in view.ids("project"):
            self._changed("project", id, view.get("project", id))
        view.on_change(self._changed)

    def chosen(self, records: Iterable[Record], headers: Iterable[Mapping[str, bytes | None]]) -> Taken:
        """Those that are to be copied, by where they lie."""
        if not self._projects:
            return {}
        found: dict[tuple[str, int], list[Record]] = {}
        for record, its in zip(records, headers, strict=True):
            project = self._projects.get(its.get(PROJECT))
            if project is not None:
                found.setdefault((project, record.partition), []).append(record)
        return {Span(*place, some[0].offset, some[-1].offset): some for place, some in found.items()}

    def beside(self, commit: Commit, taken: Taken) -> Commit:
        """The commit, with what is to be copied."""
        if not taken:
            return commit
        save, after = commit.save, commit.after

        async def save_both(connection: Connection) -> None:
            await save(connection)
            await positions.want(connection, taken)

        commit.save, commit.after = save_both, _both(lambda: self._copier.offer(taken), after)
        return commit

    async def take(self, partitions: Collection[int], connection: Connection) -> None:
        """These partitions of events are this process's."""
        await self._copier.take(partitions, connection)

    def leave(self, partitions: Collection[int]) -> None:
        """They are another's."""
        self._copier.leave(partitions)

    def _changed(self, kind: str, id: str, entity: Any) -> None:
        if kind != "project":
            return
        has_topics = isinstance(entity, Project) and entity.own_topics
        self._copier.set_project(id, entity.slug if has_topics else None)
        if has_topics:
            self._projects[id.encode()] = id
        else:
            self._projects.pop(id.encode(), None)


def _both(
    first: Callable[[], None], then: Callable[[], Awaitable[None] | None] | None
) -> Callable[[], Awaitable[None] | None]:
    def run() -> Awaitable[None] | None:
        first()
        return then() if then is not None else None

    return run
