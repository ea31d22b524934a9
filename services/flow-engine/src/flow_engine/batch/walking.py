"""How what walks through many conversations goes on beside their turns: in steps, and with a few only where records wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

from flow_engine.batch.timers import HoldsPartitions
from servicekit.loop.infrastructure import is_infrastructure
from servicekit.observability.repeats import Repeated

STEP_SECONDS = 0.1
"""Between two steps of what is walked."""
MOST_SENDING = 40
"""Records of a walk that may be on inbound and not applied, over all engines."""
WAITED_SECONDS, GIVE_WAY_SECONDS = 0.03, 0.02
"""Where a record has waited for this engine for so long a walk writes none; seconds until it looks again."""
FEW, FEW_SECONDS = 1, 1.0
"""Records of each walk that are written meanwhile, and how often, so that none waits for ever."""
LONGEST_PAUSE = 1.0
"""Seconds between two looks while nothing is walked."""
AFTER_FAILURE = 60.0
"""Seconds until something is looked at again with which something went wrong that nobody has foreseen."""

Key = TypeVar("Key")


class KnowsWaits(HoldsPartitions, Protocol):
    """What walks need of the partition loop."""

    def waited(self) -> float:
        """For how long the record has been here that came first of those not yet applied, seconds."""
        ...


class Pace:
    """When the walks of a kind go on, in one process."""

    def __init__(self, loop: KnowsWaits) -> None:
        self._loop, self._next_few = loop, 0.0
        self.gives_way = False
        """Whether records wait, as of the last `may_walk`: each walk may write a few."""

    async def keep(self, look: Callable[[], Awaitable[bool]], held: Repeated) -> None:
        """Look for ever; `look` says whether there are walks. PostgreSQL or Kafka being away delays it, and `held` tells."""
        while True:
            pause = LONGEST_PAUSE
            try:
                if await look():
                    pause = GIVE_WAY_SECONDS if self.gives_way else STEP_SECONDS
            except Exception as error:
                if not is_infrastructure(error):
                    raise
                held.warn(error=repr(error))
            await asyncio.sleep(pause)

    def may_walk(self) -> bool:
        """Not while records wait, but for a few."""
        self.gives_way, now = self._loop.waited() > WAITED_SECONDS, time.monotonic()
        if self.gives_way and now < self._next_few:
            return False
        self._next_few = now + FEW_SECONDS
        return True


class Resting(Generic[Key]):
    """What need not be looked at for a while."""

    def __init__(self) -> None:
        self._until: dict[Key, float] = {}

    def rest(self, key: Key, seconds: float = AFTER_FAILURE) -> None:
        """Do not look at it for so long."""
        now = time.monotonic()
        self._until = {one: until for one, until in self._until.items() if until > now}
        self._until[key] = now + seconds

    def rests(self, key: Key) -> bool:
        """Whether that is not over."""
        return self._until.get(key, 0.0) > time.monotonic()
