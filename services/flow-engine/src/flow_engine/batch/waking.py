"""Wakes conversations whose deferred turn is there or may begin: the partition's owner writes their records."""

from __future__ import annotations

import asyncio

import structlog

from flow_engine.batch import parking
from flow_engine.batch.timers import HoldsPartitions, Save
from flow_engine.programs.deferring import Deferring
from flow_engine.state.rows import TurnOf
from servicekit.kafka.records import Outgoing
from servicekit.loop.batches import Connection
from servicekit.loop.infrastructure import is_infrastructure

AGAIN_SECONDS = 0.5

log = structlog.get_logger()


class Waking:
    """Writes a redrive for each conversation that is to be woken, until it is cancelled.

    Postgres or Kafka being away delays them and loses none. One that is written twice does nothing.
    """

    def __init__(self, loop: HoldsPartitions, deferring: Deferring) -> None:
        self._loop, self._deferring = loop, deferring

    async def run(self) -> None:
        """For ever."""
        while True:
            await self.wake(await self._deferring.to_wake())

    async def wake(self, turns: list[TurnOf]) -> None:
        """Wake these."""
        parts: dict[int, list[TurnOf]] = {}
        for whose in turns:
            parts.setdefault(whose.part, []).append(whose)
        for part, of_part in parts.items():
            try:
                if not await self._loop.transact(part, _writing(of_part)):
                    self._let_go(of_part)
            except Exception as error:
                if not is_infrastructure(error):
                    raise
                log.warning("waking.held", partition=part, error=repr(error))
                for whose in of_part:
                    self._deferring.wake(whose)
                await asyncio.sleep(AGAIN_SECONDS)

    def _let_go(self, turns: list[TurnOf]) -> None:
        """Another process holds the partition now, and finds what is deferred there."""
        for whose in turns:
            self._deferring.drop(whose.key)


def _writing(turns: list[TurnOf]) -> Save:
    async def save(connection: Connection) -> list[Outgoing]:
        return [parking.redrive(whose.key, whose.project, deferred=True) for whose in turns]

    return save
