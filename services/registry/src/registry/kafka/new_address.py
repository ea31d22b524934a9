"""After a change of SWITCHHOOK_PUBLIC_URL: platforms that were told to call the old address are told the new one.

What is left to do is the difference between what each channel's platform was told (`TOLD_URL`) and the public URL, so
it survives any restart. Of the replicas the leader does it. A platform that was told by a person is left to that person.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import asyncpg
import structlog

from contracts.registry import Channel
from registry.entities import Stored
from registry.kafka.channel_checks import ChannelChecks
from registry.resources.channels import TOLD_URL
from registry.store import postgres_entities
from registry.store.postgres import Pool
from servicekit.web.problems import ProblemError

LOOK_SECONDS = 5.0
AT_ONCE = 10
"""Platforms that are asked side by side: one that does not answer takes fifteen seconds."""
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 5.0, 300.0

log = structlog.get_logger()


class NewAddress:
    """`leads`: whether this replica is to do it now. `problem` is for the warnings of readiness."""

    def __init__(self, pool: Pool, checks: ChannelChecks, public_url: str, leads: Callable[[], bool]) -> None:
        self._pool, self._checks, self._public_url, self._leads = pool, checks, public_url, leads
        self._waits: dict[str, tuple[float, float]] = {}
        """Channel -> when it is tried again, on the monotonic clock, and how long that was waited for."""
        self._reasons: dict[str, str] = {}

    def problem(self) -> str | None:
        """Which platforms still call the old address, as far as one was tried; None when all were told."""
        if not self._reasons:
            return None
        id, reason = next(iter(self._reasons.items()))
        return (
            f"Channels whose platform still calls an address before {self._public_url}: {len(self._reasons)}; each is asked"
            f" again until it takes it. The first, {id}: {reason}"
        )

    async def run(self) -> None:
        """Tell whoever has to be told, for ever."""
        while True:
            await self._tell_those_due()
            await asyncio.sleep(LOOK_SECONDS)

    async def _tell_those_due(self) -> None:
        try:
            found = await self._left() if self._leads() else []
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            return  # Its outage is told elsewhere.
        left = {each.id for each in found}
        self._waits = {id: wait for id, wait in self._waits.items() if id in left}
        self._reasons = {id: reason for id, reason in self._reasons.items() if id in left}
        now = time.monotonic()
        due = [each for each in found if self._waits.get(each.id, (now, 0.0))[0] <= now]
        for first in range(0, len(due), AT_ONCE):
            await asyncio.gather(*(self._tell(each) for each in due[first : first + AT_ONCE]))

    async def _left(self) -> list[Stored[Channel]]:
        async with self._pool.acquire() as connection:
            return await postgres_entities.noted_otherwise(connection, Channel, TOLD_URL, self._public_url)

    async def _tell(self, stored: Stored[Channel]) -> None:
        """Ask one platform; what fails is tried again, each time after twice as long."""
        try:
            result = await self._checks.check(stored.entity)
            reason = None if result.webhook_set else " ".join(result.hints)
        except ProblemError as refused:
            reason = refused.detail or refused.title
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            reason = type(error).__name__
        if reason is None:
            log.info("channel.told_new_address", channel=stored.id, type=stored.entity.type)
            self._reasons.pop(stored.id, None)
            return
        log.warning("channel.not_told_new_address", channel=stored.id, type=stored.entity.type, reason=reason)
        waited = self._waits.get(stored.id, (0.0, FIRST_RETRY_SECONDS / 2))[1]
        wait = min(2 * waited, LAST_RETRY_SECONDS)
        self._waits[stored.id] = (time.monotonic() + wait, wait)
        self._reasons[stored.id] = reason
