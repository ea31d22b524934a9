"""The partition loop: exactly-once effect of a topic's records on Postgres and on other topics (guarantees 3 and 4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import asyncpg

from servicekit.batches import Batch, Commit, Connection, DeadRecord, Handler, Infrastructure
from servicekit.kafka_records import Outgoing

__all__ = ["Batch", "Commit", "Connection", "DeadRecord", "Handler", "Infrastructure", "PartitionLoop"]


class PartitionLoop:
    """Reads the handler's topic as a member of `group` and applies it batch by batch."""

    def __init__(
        self,
        handler: Handler,
        *,
        kafka: str,
        group: str,
        service: str,
        instance: str,
        pool: asyncpg.Pool[asyncpg.Record],
        session_timeout: float = 30.0,
        max_records: int = 250,
    ) -> None:
        self.handler = handler

    async def run(self) -> None:
        """Work until `close` is called. Raises Fatal when only a new process can go on."""
        raise NotImplementedError

    async def close(self) -> None:
        """Finish the batch in hand, write what is committed, leave."""
        raise NotImplementedError

    async def transact(
        self, partition: int, save: Callable[[Connection], Awaitable[list[Outgoing]]], *, name: str | None = None
    ) -> bool:
        """Run `save` in a transaction fenced by this process's hold on the partition, then write what it returned."""
        raise NotImplementedError
