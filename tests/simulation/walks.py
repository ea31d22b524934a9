"""In place of the statements of flow_engine.store.broadcast_walk, on the twin behind the simulated network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flow_engine.store.broadcast_walk import Step, Walk
from simulation.database import Session
from support.broadcasts_in_memory import BroadcastsInMemory

ALONE = ("lease", "mine", "begin", "expire", "close", "complete", "find_lost", "due", "page", "by_id")
"""Statements that are transactions of their own."""


class Walks:
    """Each statement by its name. A step is saved where `note` is asked, in one step, as stores save; till it is committed
    nobody else takes the walk further, since its row is locked."""

    def __init__(self, twin: BroadcastsInMemory) -> None:
        self._twin = twin
        self._moves: dict[Session, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name not in ALONE:
            raise AttributeError(name)
        do = getattr(self._twin, name)

        async def ask(connection: Session, *arguments: Any) -> Any:
            return await connection.ask(lambda: do(*arguments))

        return ask

    async def advance(
        self, connection: Session, owner: str, walk: Walk, last: str | None, *, walked: bool, spent: float, most: float
    ) -> None:
        database = connection.database
        row = (f"walk {walk.id}", 0)
        await connection.ask(lambda: database.locked(connection, [row], lambda: self._twin.check_walk(owner, walk)))
        self._moves[connection] = lambda: self._twin.advance(walk, last, walked=walked, spent=spent, most=most)

    async def note(self, connection: Session, id: str, steps: Sequence[Step]) -> set[str]:
        move = self._moves.pop(connection)
        if not connection.counts:
            return set()
        connection.saved = True
        move()
        return self._twin.note(id, steps)
