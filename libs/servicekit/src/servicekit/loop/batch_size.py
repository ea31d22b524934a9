"""How many records a batch may have. No I/O."""

from __future__ import annotations

import asyncpg

TOO_SLOW = (TimeoutError, asyncpg.QueryCanceledError, asyncpg.IdleInTransactionSessionTimeoutError)
"""What a transaction ends with that took longer than a statement may (servicekit.database)."""


class BatchSize:
    """`now` is the number. Of a batch that took too long only a prefix is tried again: the same one would fail for ever."""

    def __init__(self, most: int) -> None:
        self._most = self.now = most

    def failed(self, records: int, error: BaseException) -> None:
        """A batch of so many records failed."""
        if isinstance(error, TOO_SLOW):
            self.now = max(1, min(self.now, records) // 2)

    def went_on(self) -> None:
        """A batch was committed."""
        self.now = min(self._most, 2 * self.now)
