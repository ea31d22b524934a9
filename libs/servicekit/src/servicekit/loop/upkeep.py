"""What a loop does beside its batches: saves positions, tells Kafka how far it is, and looks whether it may go on."""

from __future__ import annotations

import asyncio
import contextlib
from itertools import count

from servicekit.kafka.committed import Committed
from servicekit.kafka.group_reader import GroupReader
from servicekit.loop.assignment import Assignment
from servicekit.loop.database_age import DatabaseAge, WentBack
from servicekit.loop.metrics import LoopMetrics
from servicekit.loop.partitions import Partition, State
from servicekit.loop.positions import Positions

COMMIT_SECONDS = 2.0


class Fatal(Exception):
    """This process cannot go on; a new one can."""


class Upkeep:
    """Of one loop. What Kafka is told is for lag tools, and for who comes after the database was restored (ADR-0030)."""

    def __init__(
        self,
        topic: str,
        reader: GroupReader,
        assignment: Assignment,
        positions: Positions,
        metrics: LoopMetrics,
        age: DatabaseAge,
        *,
        session_timeout: float,
    ) -> None:
        self._topic, self._reader, self._assignment, self._positions = topic, reader, assignment, positions
        self._metrics, self._age, self._session_timeout = metrics, age, session_timeout
        self._told: dict[int, Committed] = {}

    async def run(self) -> None:
        """For ever. Raises Fatal when nobody assigns anything to this process, or its database went back in time."""
        for tick in count():
            await asyncio.sleep(COMMIT_SECONDS / 2)
            self._reader.wake()  # A partition that was fenced or stopped leaves room, too.
            fenced = self._assignment.fenced_seconds()
            if fenced > self._session_timeout:
                raise Fatal(f"{self._topic}: fenced for {fenced:.0f} s without a new assignment")
            if tick % 2:
                continue
            await self._positions.save()
            self._metrics.standing(self.lag(), self._assignment.unacknowledged())
            try:
                await self._age.look()
            except WentBack as error:
                raise Fatal(str(error)) from error
            await self.commit()

    def lag(self) -> dict[int, int]:
        """Partition -> records not yet applied, as of the last fetch."""
        ends = self._reader.ends()
        return {number: part.lag(ends.get(number)) for number, part in self._assignment.partitions.items()}

    async def commit(self) -> None:
        """Tell Kafka what it does not know yet."""
        now = self._standing()
        if await self._reader.commit({number: at for number, at in now.items() if self._told.get(number) != at}):
            self._told = now

    async def last(self) -> None:
        """Tell it when the loop ends. PostgreSQL is asked once more: a batch may be committed whose answer never came."""
        with contextlib.suppress(WentBack, TimeoutError):  # Kafka is told what was done all the same.
            async with asyncio.timeout(COMMIT_SECONDS):
                await self._age.look()
        await self.commit()

    def _standing(self) -> dict[int, Committed]:
        """As far as PostgreSQL has it: Kafka must never be told more than a database says that nobody set back."""
        standing = {number: self._of(part) for number, part in self._assignment.partitions.items()}
        return {number: at._replace(number=self._age.number) for number, at in standing.items() if at is not None}

    def _of(self, part: Partition) -> Committed | None:
        """What its last batch saved, or what the database has said: of one in recovery the last answer may never have come."""
        if part.state not in (State.READY, State.RECOVERING):
            return None
        said, hold = self._age.said(part.number), part.hold
        if hold is None or hold.incarnation is None:
            return said
        saved = Committed(hold.stored, hold.incarnation)
        return said if said is not None and said.incarnation == hold.incarnation and said > saved else saved
