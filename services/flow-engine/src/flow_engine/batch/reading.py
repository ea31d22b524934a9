"""The connection that batches are loaded on: kept between batches, because a pool's reset is a round trip of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from servicekit.checkpoints.transactions import is_lost
from servicekit.database import keep_plans
from servicekit.loop.batches import Connection


class ReadConnection:
    """One connection of the pool, taken when it is first needed and given back when it broke; one batch after another."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool
        self._held: Any = None
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def use(self) -> AsyncIterator[Connection]:
        """The connection. Any error, of the server or of the caller, gives it back."""
        async with self._turn:
            if self._held is None or is_lost(self._held):
                await self.close()
                self._held = await self._pool.acquire()
                await keep_plans(self._held)
            try:
                yield self._held
            except BaseException:
                await self.close()
                raise

    async def close(self) -> None:
        """Give it back."""
        held, self._held = self._held, None
        if held is not None:
            await self._pool.release(held)
