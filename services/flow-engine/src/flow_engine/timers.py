"""Fires timers that are due: the partition's owner marks them and writes their records in one transaction.

Due is by Postgres's clock (hardening 28). A fired timer's event id follows from the timer, so that it fires once however
often it is found; its row stays until a turn applies the event, and an event without a row does nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import structlog

from contracts import inbound
from contracts.cloudevents import headers, now_text
from contracts.ids import derived_id, split_conversation_key
from servicekit.kafka.records import Outgoing
from servicekit.loop.batches import Connection
from servicekit.loop.infrastructure import is_infrastructure
from servicekit.loop.partition_loop import PartitionLoop
from servicekit.observability.metrics import counter, gauge

AT_ONCE = 200
"""Timers of a partition that one transaction fires."""
LONGEST_SLEEP = 0.5
"""Seconds; a timer is late by no more than this and what is before it."""
_DUE = """
SELECT p.part,
       (SELECT count(*) FROM (SELECT FROM timer WHERE part = p.part AND fired_at IS NULL AND due <= now() LIMIT 1000) d),
       (SELECT extract(epoch FROM min(due) - now())::float8 FROM timer WHERE part = p.part AND fired_at IS NULL)
  FROM unnest($1::int[]) p(part)
"""
"""Of each partition: how many are due (at most 1,000), and seconds until its first timer."""
_FIRE = """
UPDATE timer SET fired_at = now()
 WHERE id IN (SELECT id FROM timer WHERE part = $1 AND fired_at IS NULL AND due <= now() ORDER BY due LIMIT $2)
RETURNING id, key, project_id, wait
"""

log = structlog.get_logger()


class Timers:
    """Looks for due timers of the partitions that the loop holds, until it is cancelled."""

    def __init__(self, loop: PartitionLoop, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._loop, self._pool = loop, pool
        self._fired, self._due = counter("switchhook_timers_fired_total"), gauge("switchhook_due_timers")

    async def run(self) -> None:
        """For ever. Postgres or Kafka being away delays timers and loses none."""
        while True:
            try:
                pause = await self._once()
            except Exception as error:
                if not is_infrastructure(error):
                    raise
                log.warning("timers.held", error=repr(error))
                pause = LONGEST_SLEEP
            await asyncio.sleep(pause)

    async def _once(self) -> float:
        """Fire what is due; seconds until the next look."""
        held = sorted(self._loop.assigned)
        if not held:
            return LONGEST_SLEEP
        async with self._pool.acquire() as connection:
            rows: list[tuple[int, int, float | None]] = [tuple(row) for row in await connection.fetch(_DUE, held)]
        self._due.set(sum(due for _, due, _ in rows))
        for part, due, _ in rows:
            if due:
                await self._loop.transact(part, self._fire(part))
        if any(due > AT_ONCE for _, due, _ in rows):
            return 0
        return min([LONGEST_SLEEP, *(max(0.0, seconds) for _, due, seconds in rows if seconds is not None and not due)])

    def _fire(self, part: int) -> Callable[[Connection], Awaitable[list[Outgoing]]]:
        async def save(connection: Connection) -> list[Outgoing]:
            rows = await connection.fetch(_FIRE, part, AT_ONCE)
            self._fired.inc(len(rows))
            return [fired(row, self._loop.topic) for row in rows]

        return save


def fired(row: Any, topic: str = inbound.TOPIC.name) -> Outgoing:
    """The record of a timer whose moment has come."""
    now, id = now_text(), str(row["id"])
    bot_id, channel_id, peer_id = split_conversation_key(row["key"])
    body = inbound.TimerFired(
        project_id=row["project_id"],
        bot_id=bot_id,
        channel_id=channel_id,
        peer_id=peer_id,
        received_at=now,
        timer_id=id,
        wait=row["wait"],
    )
    about = headers(
        id=derived_id("timer", id),
        type="inbound.timer",
        source="switchhook/flow-engine",
        time=now,
        project=row["project_id"],
    )
    return Outgoing(topic, row["key"].encode(), body.encode(), about)
