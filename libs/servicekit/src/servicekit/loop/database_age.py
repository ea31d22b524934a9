"""Whether the database is older than what the service has done with it: restored from a backup, or another one (ADR-0030).

Kafka keeps how far the service was, as the offsets that its group commits, and is asked before anything is done. While the
service works, it compares what the database says with what it said before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import asyncpg
import structlog
from aiokafka.errors import KafkaError

from servicekit.checkpoints import age
from servicekit.checkpoints.age import Behind
from servicekit.database import NOT_THERE
from servicekit.kafka import committed
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.committed import Committed

LOOK_SECONDS = 1.0
"""Between two looks while an operator has to decide."""
RETRY_SECONDS = 0.5
SHOWN = 3
"""Partitions that the sentence names."""
Progress = Callable[[], Awaitable[int]]

log = structlog.get_logger()


async def none() -> int:
    """For a service whose checkpoints tell everything that it did."""
    return 0


class WentBack(Exception):
    """The database says less than it said before. A new process asks Kafka, and waits for an operator."""


class DatabaseAge:
    """Of one topic of one service. `progress` reads a number of the database that grows with what checkpoints do not show."""

    def __init__(
        self,
        cluster: Cluster,
        service: str,
        *,
        group: str,
        topic: str,
        pool: asyncpg.Pool[asyncpg.Record],
        progress: Progress = none,
    ) -> None:
        self._cluster, self._service, self._group, self._topic = cluster, service, group, topic
        self._pool, self._progress = pool, progress
        self._problem: str | None = None
        self._known: dict[int, Committed] = {}
        """What the database has said of each partition."""
        self.number = 0
        """What `progress` said last."""
        self.settled = asyncio.Event()
        """Set once the database is known to be as new as what was done with it."""

    def said(self, partition: int) -> Committed | None:
        """How far the database says that the partition is, when it was asked last."""
        return self._known.get(partition)

    def problem(self) -> str | None:
        """For readiness: what would be repeated, and who decides."""
        return self._problem

    async def settle(self) -> None:
        """Return once the database is as new as what was done with it, or an operator has said what holds."""
        while not self.settled.is_set():
            try:
                self._tell(await self._compare())
            except (KafkaError, *NOT_THERE) as error:
                log.info("database.age_unknown", topic=self._topic, error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if self._problem is None:
                self.settled.set()
            else:
                await asyncio.sleep(LOOK_SECONDS)

    async def settle_or(self, closing: asyncio.Event) -> bool:
        """The same; False when `closing` is set before."""
        looks = [asyncio.create_task(work) for work in (self.settle(), closing.wait())]
        try:
            await asyncio.wait(looks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for look in looks:
                look.cancel()
            ended = await asyncio.gather(*looks, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                raise error
        return self.settled.is_set()

    async def look(self) -> None:
        """Compare the database with what it said before. Raises WentBack; does nothing while it is away."""
        try:
            number, found = await self._read()
        except NOT_THERE:
            return
        if less := age.behind(found, self._known):
            raise WentBack(sentence(self._service, self._topic, less, 0))
        if number < self.number:
            raise WentBack(sentence(self._service, self._topic, [], self.number - number))
        self.number = number
        for part, at in found.items():
            if at.incarnation is not None:
                self._known[part] = Committed(at.next_offset, at.incarnation)

    async def _read(self) -> tuple[int, Mapping[int, age.Standing]]:
        async with self._pool.acquire() as connection:
            found = await age.standing(connection, self._topic)
        return await self._progress(), found

    async def _compare(self) -> str | None:
        self.number, found = await self._read()
        was = await committed.read_committed(self._cluster, self._group, self._topic)
        less = age.behind(found, was)
        unknown = max((each.number for each in was.values()), default=0) - self.number
        return sentence(self._service, self._topic, less, unknown) if less or unknown > 0 else None

    def _tell(self, problem: str | None) -> None:
        if problem is not None and problem != self._problem:
            log.error("database.older", topic=self._topic, reason=problem)
        self._problem = problem


def sentence(service: str, topic: str, less: Sequence[Behind], unknown: int) -> str:
    """What an operator reads. `unknown`: what was done since by the service's own count, where no checkpoint shows it."""
    places = ", ".join(f"{topic}/{each.part} at {each.at}, was at {each.was}" for each in less[:SHOWN])
    more = f" and {len(less) - SHOWN} more" if len(less) > SHOWN else ""
    records = sum(each.was - each.at for each in less)
    applied = f"{records} records would be applied again ({places}{more})" if less else ""
    done = "what was sent since is not known to it" if unknown > 0 else ""
    return (
        f"the database is older than what {service} has done with it: {'; '.join(filter(None, (applied, done)))}."
        f" Nothing is done until `switchhook-ops checkpoints accept-restore {service}` says what holds"
    )
