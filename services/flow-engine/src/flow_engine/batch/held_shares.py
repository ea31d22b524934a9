"""How much of each project waits in held conversations: a project that has too much there gets no more of it."""

from __future__ import annotations

import time
from collections.abc import Iterable

from flow_engine.store.port import Reads

MOST_BYTES = 64 * 1024 * 1024
"""Of a project's events that wait, in the store of all engines together. Past it what would be deferred is made without what is
not cheap by its form, so that nothing more waits, and what waits is applied."""
AGAIN_SECONDS = 1.0
"""How long what the store says of a project is believed."""


class HeldShares:
    """Of one process. Projects of which nothing waits are not asked for."""

    def __init__(self) -> None:
        self._asked: dict[str, float] = {}
        """When those of which something waits were asked for."""
        self.full: frozenset[str] = frozenset()
        """Projects of which too much waits."""

    def note(self, projects: Iterable[str]) -> None:
        """Something of these waits now."""
        for project in projects:
            self._asked.setdefault(project, 0.0)

    async def look(self, reads: Reads, projects: Iterable[str]) -> None:
        """Ask for those of these projects that have something waiting."""
        for project in set(projects) & self._asked.keys():
            now = time.monotonic()
            # Batches look at the same time: another one may have found that nothing waits.
            asked = self._asked.get(project)
            if asked is not None and now - asked >= AGAIN_SECONDS:
                size = await reads.held_size(project)
                self.full = self.full | {project} if size > MOST_BYTES else self.full - {project}
                if size:
                    self._asked[project] = now
                else:
                    self._asked.pop(project, None)
