"""The one connection on which a loop's transactions run, one after another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from servicekit.database import Connection, keep_plans
from servicekit.failpoints import failpoint, strikes

T = TypeVar("T")


class FencedOff(Exception):
    """Some partitions are another process's now. Raised inside a transaction, so that nothing of it is kept."""

    def __init__(self, partitions: set[int]) -> None:
        super().__init__(f"fenced off from partitions {sorted(partitions)}")
        self.partitions = partitions


class OutcomeUnknown(Exception):
    """COMMIT was sent and its answer did not come, or was an error. `cause` says what came instead."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}")
        self.cause = cause


class LoopConnection:
    """Kept out of the pool: giving it back after each batch would cost a round trip. Take `lock` around its use."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self.lock = asyncio.Lock()
        self._pool = pool
        self._connection: PoolConnectionProxy[asyncpg.Record] | None = None

    async def get(self) -> Connection:
        """The connection; a fresh one when the last was lost."""
        if self._connection is not None and is_lost(self._connection):
            await self.close()
        if self._connection is None:
            self._connection = await self._pool.acquire()
            await keep_plans(self._connection)
        return self._connection

    async def transaction(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `work` in a transaction. Raises OutcomeUnknown when the commit's result is; after others it was undone."""
        connection = await self.get()
        transaction = connection.transaction()
        try:
            await transaction.start()
            result = await work(connection)
            await failpoint("in_txn")
        except BaseException:
            await self._undo(connection, transaction)
            raise
        try:
            await transaction.commit()
            if strikes("commit_unknown"):
                raise ConnectionResetError("failpoint: the answer to COMMIT is lost")
        except Exception as error:
            connection.terminate()
            raise OutcomeUnknown(error) from error
        except BaseException:
            connection.terminate()
            raise
        return result

    async def close(self) -> None:
        """Give the connection back, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._pool.release(connection)

    @staticmethod
    async def _undo(connection: Connection, transaction: asyncpg.transaction.Transaction) -> None:
        """Roll back; when that is not possible, Postgres does it as the connection ends."""
        try:
            await transaction.rollback()
        except Exception:  # noqa: BLE001 - the error that led here is the one to report
            connection.terminate()


def is_lost(connection: PoolConnectionProxy[asyncpg.Record]) -> bool:
    """The pool takes a connection that ended away from its holder, who then may not even ask."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True
