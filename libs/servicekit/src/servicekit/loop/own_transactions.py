"""What a service has to save and say apart from batches (timers, say), under the same fence and in the same order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import uuid4

from servicekit.checkpoints import fence, outbox
from servicekit.checkpoints.fence import Hold
from servicekit.checkpoints.transactions import FencedOff, LoopConnection, OutcomeUnknown
from servicekit.failpoints import failpoint
from servicekit.kafka.publisher import check_sizes
from servicekit.kafka.records import Outgoing
from servicekit.loop.assignment import Assignment
from servicekit.loop.batches import Connection
from servicekit.loop.outlet import CommittedRow, Outlet
from servicekit.loop.partitions import Partition, State

Save = Callable[[Connection], Awaitable[list[Outgoing]]]


class OwnTransactions:
    """Of one loop. `recover` hears of a partition whose hold is not good any more, or may not be."""

    def __init__(
        self,
        topic: str,
        assignment: Assignment,
        connection: LoopConnection,
        outlet: Outlet,
        *,
        recover: Callable[[Partition, Hold, str], None],
    ) -> None:
        self._topic, self._assignment = topic, assignment
        self._connection, self._outlet, self._recover = connection, outlet, recover

    async def run(self, partition: int, save: Save, *, name: str | None = None) -> bool:
        """Run `save` in a transaction fenced by this process's hold on the partition; then write what it returned.

        In order with the batches. `name` is the outbox row's, unique in the partition until Kafka has the records; None:
        a random one. Waits while the partition is being taken over. False, and nothing is saved, when it is not (or no
        longer) this process's. Raises what `save` raises; TooLarge; after OutcomeUnknown it may have been saved.
        """
        row = name or f"transact/{uuid4()}"
        while (part := self._assignment.partitions.get(partition)) is not None:
            await part.taken.wait()
            async with self._connection.lock:
                hold = part.hold
                if hold is None and part.state is State.RECOVERING:
                    continue
                if hold is not None and await self._transact(part, hold, row, save):
                    return True
                if self._assignment.partitions.get(partition) is part and part.hold is hold:
                    if hold is not None:
                        self._recover(part, hold, "fenced")
                    return False
        return False

    async def _transact(self, part: Partition, hold: Hold, row: str, save: Save) -> bool:
        async def work(connection: Connection) -> list[Outgoing]:
            if not await fence.lock(connection, self._topic, hold):
                raise FencedOff({hold.part})
            made = await save(connection)
            check_sizes(made)
            if made:
                await outbox.add(connection, self._topic, hold.part, row, made)
            return made

        try:
            records = await self._connection.transaction(work)
        except FencedOff:
            return False
        except OutcomeUnknown:
            part.more = True
            self._recover(part, hold, "unknown")
            raise
        await failpoint("after_commit")
        part.more = True
        if records:
            await self._outlet.send([CommittedRow(part, hold, row, records)])
        return True
