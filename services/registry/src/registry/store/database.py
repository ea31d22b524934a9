"""The pool of connections, which may come later than the process."""

from __future__ import annotations

from registry.store.postgres import SCHEMA, Pool
from servicekit.database import connect
from servicekit.settings import ServiceSettings
from servicekit.web.problems import unavailable


class Database:
    """Until Postgres was reached once, requests are answered 503; afterwards the pool mends itself."""

    def __init__(self, pool: Pool | None = None) -> None:
        self._pool = pool

    @property
    def pool(self) -> Pool:
        """Raises ProblemError 503 while there is none."""
        if self._pool is None:
            raise unavailable("The database is not there yet.")
        return self._pool

    async def connect(self, settings: ServiceSettings) -> Pool:
        """Wait for Postgres, as long as it takes."""
        self._pool = await connect(settings, SCHEMA)
        return self._pool

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.close()

    def problem(self) -> str | None:
        """For readiness."""
        return "Postgres was not reached yet" if self._pool is None else None
