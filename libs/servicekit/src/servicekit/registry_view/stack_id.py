"""Which installation a database belongs to: a service does no work on another one's registry.

The registry makes an id once and writes it into each snapshot marker. Each database remembers the first one that its
service saw, so that a DSN, a Kafka address or a topic prefix that was mixed up is found out before anything is applied.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import uuid4

import structlog

from servicekit.database import NOT_MIGRATED, NOT_THERE, Pool

STACK_TABLE = """
CREATE TABLE stack (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    id text NOT NULL
);
COMMENT ON TABLE stack IS 'the id of the installation that this database belongs to; empty until it is known';
"""
LOOK_SECONDS = 1.0
_ADOPT = "INSERT INTO stack (id) VALUES ($1) ON CONFLICT DO NOTHING"
_KNOWN = "SELECT id FROM stack"

log = structlog.get_logger()


class Stranger(Exception):
    """The registry's topic is another installation's than it was. A new process waits until that is mended."""


class StackId:
    """Compares what the registry's topic says with what the database remembers.

    `on_topic` gives the id of the last snapshot marker, None while there is none or it names none (a registry from before
    there were ids). With `makes` this is the registry itself, which makes an id when nobody has one.
    """

    def __init__(self, on_topic: Callable[[], str | None], *, makes: bool = False) -> None:
        self._on_topic, self._makes = on_topic, makes
        self._problem: str | None = None

    def problem(self) -> str | None:
        """For readiness: which two installations met here, and what to do."""
        return self._problem

    async def settle(self, pool: Pool) -> None:
        """Return once the database and the topic belong together; while they do not, say so and wait."""
        while True:
            problem = await self._compare(pool)
            if problem is not None and problem != self._problem:
                log.error("stack.stranger", reason=problem)
            self._problem = problem
            if problem is None:
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def keep(self, pool: Pool) -> None:
        """Watch for ever, after `settle`. Raises Stranger when the topic becomes another installation's."""
        compared = None
        while True:
            now = self._on_topic()
            if now is not None and now != compared:
                problem = await self._compare(pool)
                if problem is not None:
                    raise Stranger(problem)
                compared = now
            await asyncio.sleep(LOOK_SECONDS)

    async def _compare(self, pool: Pool) -> str | None:
        seen = self._on_topic()
        first = seen or (str(uuid4()) if self._makes else None)
        if first is None:
            return None
        while True:
            try:
                await pool.execute(_ADOPT, first)
                known: str = await pool.fetchval(_KNOWN)
                break
            except NOT_MIGRATED:
                raise  # It was migrated when the process began; a new process says what to do and waits.
            except NOT_THERE as error:
                log.warning("stack.not_compared", error=type(error).__name__)
                await asyncio.sleep(LOOK_SECONDS)
        if seen in (None, known):
            return None
        return (
            f"this database belongs to the installation {known}, the registry's topic to {seen}: check SWITCHHOOK_DATABASE,"
            " SWITCHHOOK_KAFKA and SWITCHHOOK_TOPIC_PREFIX; if the database is to belong to the other one from now on,"
            " empty its table stack"
        )
