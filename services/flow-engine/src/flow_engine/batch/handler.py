"""The engine's side of the partition loop: a batch of inbound records in, one transaction and what leaves out."""

from __future__ import annotations

import asyncio
import time
from functools import partial

import asyncpg

from contracts import inbound
from flow_engine.batch import finding
from flow_engine.batch.decoding import Arrived, decode
from flow_engine.batch.loading import Loaded, load
from flow_engine.batch.reading import ReadConnection
from flow_engine.batch.without_turn import answer_repeat, attach, next_redrive, refuse
from flow_engine.errors import Undecodable
from flow_engine.state.seen import contains, fingerprint
from flow_engine.state.work import Talk
from flow_engine.store import parking
from flow_engine.store.postgres_save import save
from flow_engine.turn.sandbox import Sandbox
from flow_engine.turn.surroundings import Catalogue
from flow_engine.turn.turns import KINDS, Turns
from flowlang.model import Refused
from servicekit.failpoints import broken
from servicekit.kafka.records import Outgoing, Record
from servicekit.loop.batches import Batch, Commit, Connection, DeadRecord, Infrastructure
from servicekit.observability.metrics import counter

YIELD_EVERY_RECORDS = 16
"""After so many records the commit of another batch, heartbeats and HTTP get their turn on the event loop."""
REGISTRY_WAIT = 5.0
"""Seconds for the registry view to reach what a record's writer had read (hardening 7)."""


class EngineHandler:
    """servicekit.loop.batches.Handler over conversations."""

    topic = inbound.TOPIC.name

    def __init__(
        self, pool: asyncpg.Pool[asyncpg.Record], catalogue: Catalogue, sandbox: Sandbox, *, compute_budget: float = 0.2
    ) -> None:
        """`compute_budget`: seconds after which a batch ends early."""
        self._reading = ReadConnection(pool)
        self._catalogue, self._sandbox, self._budget = catalogue, sandbox, compute_budget
        self._repeats = counter("switchhook_repeats_total").labels(self.topic)
        turns = counter("switchhook_turns_total")
        self._turns = {kind: turns.labels(kind) for kind in KINDS}

    async def close(self) -> None:
        """Give the connection back."""
        await self._reading.close()

    async def apply(self, batch: Batch) -> Commit:
        """See servicekit.loop.batches.Handler."""
        decoded = [_decode(record) for record in batch.records]
        good = [arrived for arrived in decoded if isinstance(arrived, Arrived)]
        await self._wait_for_registry(good)
        async with self._reading.use() as connection:
            loaded = await load(connection, good) if good else Loaded()
        applied = await self._apply_in_order(decoded, loaded)
        work = loaded.work
        return Commit(partial(save, work), work.outgoing, work.dead, applied=applied)

    async def park(self, record: Record, error: Exception, connection: Connection) -> list[Outgoing]:
        """Hold the conversation from this record on. A failed redrive leaves everything held as it was."""
        arrived = _decode(record)
        if isinstance(arrived, Arrived) and arrived.body.kind != "redrive":
            await parking.hold_failed(connection, record, arrived.key, error)
        return []

    async def on_assigned(self, partitions: set[int], connection: Connection) -> None:
        """Nothing is cached between batches."""

    def on_revoked(self, partitions: set[int]) -> None:
        """Nothing is cached between batches."""

    async def _wait_for_registry(self, good: list[Arrived]) -> None:
        needed = max((arrived.registry_offset for arrived in good), default=-1)
        if needed > self._catalogue.offset and not await self._catalogue.reached(needed, REGISTRY_WAIT):
            raise Infrastructure(f"the registry view is behind offset {needed}")

    async def _apply_in_order(self, decoded: list[Arrived | DeadRecord], loaded: Loaded) -> int:
        """How many records were applied before the compute budget was spent; at least one."""
        turns = Turns(loaded.work, self._catalogue, self._sandbox)
        end = time.perf_counter() + self._budget
        for count, arrived in enumerate(decoded):
            if count and time.perf_counter() > end:
                return count
            if count % YIELD_EVERY_RECORDS == YIELD_EVERY_RECORDS - 1:
                await asyncio.sleep(0)
            if isinstance(arrived, DeadRecord):
                loaded.work.dead.append(arrived)
            elif arrived.person_keyed:
                self._pass_on(arrived, loaded)
            else:
                await self._apply_one(arrived, loaded, turns)
        return len(decoded)

    async def _apply_one(self, arrived: Arrived, loaded: Loaded, turns: Turns) -> None:
        talk = loaded.work.talks[arrived.key]
        kind = arrived.body.kind
        if kind == "redrive":
            await self._redrive(arrived, talk, loaded, turns)
        elif kind == "attach":
            attach(arrived, talk, loaded)
        elif talk.held:
            waiting = loaded.held_counts[arrived.key] + len(loaded.work.held.get(arrived.key, ()))
            parking.hold(loaded.work, arrived.record, arrived.key, waiting)
        elif contains(talk.seen, mark := fingerprint(arrived.event_id)) and not broken("dedupe"):
            self._repeats.inc()
            answer_repeat(arrived, talk, loaded)
        else:
            self._turns[kind].inc()
            await turns.apply(arrived, talk, mark)

    async def _redrive(self, arrived: Arrived, talk: Talk, loaded: Loaded, turns: Turns) -> None:
        """Apply the held events here, in their order, as effects of this record."""
        work, before = loaded.work, len(loaded.work.outgoing)
        rows = loaded.redriven.get(arrived.key, [])
        left = loaded.held_counts[arrived.key] - len(rows)
        work.redriven += [(talk.id, position) for position, _ in rows]
        records = [record for _, record in rows]
        if left <= 0:
            talk.held = False
            records += [record._replace(offset=arrived.record.offset) for record in work.held.pop(arrived.key, [])]
        for record in records:
            held = decode(record)
            mark = fingerprint(held.event_id)
            if not contains(talk.seen, mark):
                await turns.apply(held, talk, mark)
        made = [outgoing for _, outgoings in work.outgoing[before:] for outgoing in outgoings]
        if left > 0:
            made.append(next_redrive(arrived))
        work.outgoing[before:] = [(arrived.record, made)] if made else []

    def _pass_on(self, arrived: Arrived, loaded: Loaded) -> None:
        """Send a person-keyed record to the conversation of the person it names, or refuse it."""
        body = arrived.body
        wanted = self._catalogue.channel_for(body)
        name = finding.named(arrived)
        target = finding.choose(loaded.found.get(name) if name else None, wanted)
        if name is None and (key := self._catalogue.only_channel_key(body)):
            target = key
        if isinstance(target, Refused):
            refuse(arrived, target, loaded)
            return
        channel_type = self._catalogue.channel_type(target)
        loaded.work.outgoing.append((arrived.record, [finding.forwarded(arrived, target, channel_type)]))


def _decode(record: Record) -> Arrived | DeadRecord:
    try:
        return decode(record)
    except Undecodable as error:
        return DeadRecord(record, error.code, error.message)
