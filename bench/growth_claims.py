"""Claiming retries of a healthy destination, alone and beside a million due rows of a dead one."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg

from bench.measure import median
from bench.rig import Rig, rig
from dispatcher.kinds.table import DELIVERY_KINDS
from dispatcher.model.delivery import Delivery, Limits, Result
from dispatcher.results.outcomes import Outcomes
from dispatcher.scheduling.claims import Claims
from dispatcher.scheduling.destinations import Destinations
from dispatcher.scheduling.holdings import Holdings
from dispatcher.scheduling.pulse import Pulse
from dispatcher.store.postgres import PostgresDeliveries

DEAD_ROWS = 1_000_000
CHUNK = 100_000
DUE = 200
ROUNDS = 25

_QUEUE = "INSERT INTO queue (destination, next_due) VALUES ($1, now()) RETURNING id"
_ROWS = """
INSERT INTO delivery (id, day, project_id, kind, queue_id, source, state, attempts, due, payload)
SELECT gen_random_uuid(), CURRENT_DATE, 'bench', 'webhook', $1, 'actions/0', 'retrying', 3,
       now() - interval '1 minute', $3 FROM generate_series(1, $2)
"""
PAYLOAD = b"{" + b" " * 1000 + b"}"


class Measured:
    """The service's own claim loop, its attempts left out: what is claimed is only counted."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self.taken: list[Delivery] = []
        self.destinations = Destinations(self._attempt, lambda result: None, lambda name: Limits(256), most=10_000)
        holdings = Holdings(Pulse(60), 60, list)
        self.claims = Claims(
            PostgresDeliveries(pool, DELIVERY_KINDS), self.destinations, holdings, Outcomes(1),
            cut_off=lambda one: None, due=asyncio.Event(), sweep_results=self._nothing, lease_seconds=60,
        )  # fmt: skip

    async def _nothing(self, age: timedelta) -> None:
        """No results are published here."""

    async def _attempt(self, delivery: Delivery) -> Result:
        self.taken.append(delivery)
        return Result(delivery, "succeeded")


async def claims_cost() -> dict[str, Any]:
    """Median milliseconds to claim 200 due rows, without and with the dead destination, and the ratio."""
    async with rig({"registry": {}}) as bench:
        pool = await asyncpg.create_pool(
            bench.stack.dsn("dispatcher"), server_settings={"search_path": "dispatcher"}, min_size=1, max_size=4
        )
        try:
            async with PostgresDeliveries(pool, DELIVERY_KINDS).session() as session:
                await session.ensure_days([await session.today()])
            alone = await _median(pool, bench)
            await _kill_a_destination(pool)
            beside = await _median(pool, bench)
        finally:
            await pool.close()
    return {"claims_ratio": round(beside / alone, 3), "claim_ms": {"alone": alone, "beside_dead": beside}}


async def _median(pool: asyncpg.Pool[asyncpg.Record], bench: Rig) -> float:
    times = []
    measured = Measured(pool)
    measured.destinations.pause("host:dead:443", 3600)  # its circuit is open
    for _ in range(ROUNDS):
        queue = await pool.fetchval(_QUEUE, f"host:{uuid4()}:443")
        await pool.execute(_ROWS, queue, DUE, PAYLOAD)
        begun = time.monotonic()
        while len(measured.taken) < DUE:
            await measured.claims.once()
        times.append((time.monotonic() - begun) * 1000)
        measured.taken.clear()
    return median(times)


async def _kill_a_destination(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    queue = await pool.fetchval(_QUEUE, "host:dead:443")
    for _ in range(DEAD_ROWS // CHUNK):
        await pool.execute(_ROWS, queue, CHUNK, PAYLOAD, timeout=300)
    await pool.execute("VACUUM (ANALYZE) delivery", timeout=300)
