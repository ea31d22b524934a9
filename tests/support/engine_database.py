"""A pool on the engine's tables, emptied for each test."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import asyncpg
from pydantic import SecretStr

from flow_engine.state.pseudonyms import Pseudonyms
from flow_engine.store import log_partitions
from servicekit.loop.batches import Connection

LINK_KEY = "k" * 32
PSEUDONYMS = Pseudonyms(SecretStr(LINK_KEY))
SETTINGS = {"search_path": "flow_engine", "lock_timeout": "2s", "idle_in_transaction_session_timeout": "10s"}
_TABLES = "conversation, contact, contact_term, identity, timer, message, event_log, trace, held, outbox, checkpoint, erasure, erasure_key, erased, flow_migration, flow_migration_count, node_count"


@contextlib.asynccontextmanager
async def engine_pool(dsn: str) -> AsyncIterator[asyncpg.Pool[asyncpg.Record]]:
    """Of a database with the engine's tables."""
    async with asyncpg.create_pool(dsn, min_size=1, max_size=8, server_settings=SETTINGS) as pool:
        async with pool.acquire() as connection:
            await log_partitions.keep_up(connection, log_partitions.logs(None, 9))
            await connection.execute(f"TRUNCATE {_TABLES} RESTART IDENTITY")
        yield pool


@contextlib.asynccontextmanager
async def transaction_of(pool: asyncpg.Pool[asyncpg.Record]) -> AsyncIterator[Connection]:
    """A connection with a transaction, as the partition loop has it around a save."""
    async with pool.acquire() as connection, connection.transaction():
        yield connection
