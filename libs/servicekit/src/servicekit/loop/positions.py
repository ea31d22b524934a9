"""Moving checkpoints: with a batch's transaction, and behind records that had no effect in one of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import structlog

from servicekit.checkpoints import fence
from servicekit.checkpoints.fence import CheckpointMove, Hold
from servicekit.checkpoints.transactions import FencedOff, LoopConnection, OutcomeUnknown
from servicekit.loop.assignment import Assignment
from servicekit.loop.batches import Connection
from servicekit.loop.infrastructure import is_infrastructure
from servicekit.loop.partitions import Partition

log = structlog.get_logger()


async def advance(
    connection: Connection, topic: str, moves: Sequence[CheckpointMove], published: Sequence[tuple[int, str]] = ()
) -> None:
    """fence.advance, all or nothing. Raises FencedOff."""
    moved = await fence.advance(connection, topic, moves, published)
    if len(moved) < len(moves):
        raise FencedOff({move.hold.part for move in moves} - moved)


def stored(moves: Iterable[CheckpointMove]) -> None:
    """The transaction of these moves is committed."""
    for move in moves:
        move.hold.stored = move.new


class Positions:
    """Has the checkpoints follow records that had no effect.

    `recover` hears of a partition whose checkpoint is not what it should be; `done` is called when those that were kept
    from being applied meanwhile may be.
    """

    def __init__(
        self,
        topic: str,
        assignment: Assignment,
        connection: LoopConnection,
        *,
        recover: Callable[[Partition, Hold, str], None],
        done: Callable[[], None],
    ) -> None:
        self._topic, self._assignment, self._connection = topic, assignment, connection
        self._recover, self._done = recover, done

    async def save(self) -> None:
        """Save the positions that are ahead of their checkpoints. Postgres being away leaves that to the next time."""
        ahead = {part: part.hold for part in self._assignment.partitions.values() if part.passed_over() and part.hold}
        if not ahead:
            return
        for part in ahead:
            part.idle.clear()
        try:
            await self._save([_move_to(hold) for hold in ahead.values()])
        except FencedOff as error:
            self._lost(ahead, error.partitions, "fenced")
        except OutcomeUnknown:
            self._lost(ahead, {part.number for part in ahead}, "unknown")
        except Exception as error:
            if not is_infrastructure(error):
                raise
            log.warning("position.unsaved", topic=self._topic, error=f"{type(error).__name__}: {error}")
        finally:
            for part in ahead:
                part.idle.set()
            self._done()

    async def _save(self, moves: list[CheckpointMove]) -> None:
        async with self._connection.lock:
            await self._connection.transaction(lambda connection: advance(connection, self._topic, moves))
        stored(moves)

    def _lost(self, ahead: dict[Partition, Hold], numbers: set[int], cause: str) -> None:
        for part, hold in ahead.items():
            if part.number in numbers:
                self._recover(part, hold, cause)


def _move_to(hold: Hold) -> CheckpointMove:
    return CheckpointMove(hold, hold.stored, hold.next_offset, hold.last_id, hold.seen, None)
