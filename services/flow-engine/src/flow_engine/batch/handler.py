"""The engine's side of the partition loop: a batch of inbound records in, one transaction and what leaves out."""

from __future__ import annotations

import asyncio
import time
from functools import partial

import structlog

from contracts import inbound
from flow_engine.batch import parking, person_lookup
from flow_engine.batch.decoding import decode
from flow_engine.batch.loading import LoadedBatch, load
from flow_engine.batch.without_turn import answer_repeat, attach, is_another_request, refuse, refuse_reuse
from flow_engine.catalogue.port import Catalogue
from flow_engine.errors import Undecodable
from flow_engine.programs.stepping import Stepping
from flow_engine.state.seen import contains, fingerprint
from flow_engine.state.work import LoadedConversation
from flow_engine.store.port import ConversationStore
from flow_engine.turn.event import Arrived
from flow_engine.turn.kinds import KINDS
from flow_engine.turn.turns import Turns
from flowlang.model import Refused
from servicekit.failpoints import broken
from servicekit.kafka.records import Outgoing, Record
from servicekit.loop.batches import Batch, Commit, Connection, DeadRecord, Infrastructure
from servicekit.observability.metrics import counter

YIELD_EVERY_RECORDS = 16
"""After so many records the commit of another batch, heartbeats and HTTP get their turn on the event loop."""
REGISTRY_WAIT = 5.0
"""Seconds for the registry view to reach what a record's writer had read: it may name a flow that is only just there."""

log = structlog.get_logger()


class EngineHandler:
    """servicekit.loop.batches.Handler over conversations."""

    topic = inbound.TOPIC.name

    def __init__(
        self, store: ConversationStore, catalogue: Catalogue, stepping: Stepping, *, compute_budget: float = 0.2
    ) -> None:
        """`compute_budget`: seconds after which a batch ends early."""
        self._store, self._catalogue, self._stepping, self._budget = store, catalogue, stepping, compute_budget
        self._repeats = counter("switchhook_repeats_total").labels(self.topic)
        turns = counter("switchhook_turns_total")
        self._turns = {kind: turns.labels(kind) for kind in KINDS}

    async def apply(self, batch: Batch) -> Commit:
        """See servicekit.loop.batches.Handler."""
        decoded = [_decode(record) for record in batch.records]
        good = [arrived for arrived in decoded if isinstance(arrived, Arrived)]
        await self._wait_for_registry(good)
        async with self._store.reading() as reads:
            loaded = await load(reads, good, self._catalogue.peer_keys) if good else LoadedBatch()
        applied = await self._apply_in_order(decoded, loaded)
        work = loaded.work
        return Commit(partial(self._store.save, work), work.outgoing, work.dead, applied=applied)

    async def park(self, record: Record, error: Exception, connection: Connection) -> list[Outgoing]:
        """Hold the conversation from this record on. A failed redrive leaves everything held as it was."""
        arrived = _decode(record)
        if isinstance(arrived, Arrived) and arrived.body.kind != "redrive":
            sentence = f"{type(error).__name__}: {error}"[:1000]
            await self._store.hold(record, arrived.key, sentence, connection)
            log.error("conversation.held", conversation=arrived.key, offset=record.offset, error=repr(error))
        return []

    async def on_assigned(self, partitions: set[int], connection: Connection) -> None:
        """Nothing is cached between batches."""

    def on_revoked(self, partitions: set[int]) -> None:
        """Nothing is cached between batches."""

    async def _wait_for_registry(self, good: list[Arrived]) -> None:
        needed = max((arrived.registry_offset for arrived in good), default=-1)
        if needed > self._catalogue.offset and not await self._catalogue.reached(needed, REGISTRY_WAIT):
            raise Infrastructure(f"the registry view is behind offset {needed}")

    async def _apply_in_order(self, decoded: list[Arrived | DeadRecord], batch: LoadedBatch) -> int:
        """How many records were applied before the compute budget was spent; at least one."""
        turns = Turns(batch.work, self._catalogue, self._stepping)
        end = time.perf_counter() + self._budget
        for count, arrived in enumerate(decoded):
            if count and time.perf_counter() > end:
                return count
            if count % YIELD_EVERY_RECORDS == YIELD_EVERY_RECORDS - 1:
                await asyncio.sleep(0)
            if isinstance(arrived, DeadRecord):
                batch.work.dead.append(arrived)
            elif arrived.person_keyed:
                self._pass_on(arrived, batch)
            else:
                await self._apply_one(arrived, batch, turns)
        return len(decoded)

    async def _apply_one(self, arrived: Arrived, batch: LoadedBatch, turns: Turns) -> None:
        loaded = batch.work.conversations[arrived.key]
        kind = arrived.body.kind
        if kind == "redrive":
            await self._redrive(arrived, loaded, batch, turns)
        elif kind == "attach":
            attach(arrived, loaded, batch)
        elif loaded.held:
            parking.hold(batch.work, arrived.record, arrived.key, batch.held_counts[arrived.key])
        elif is_another_request(arrived, batch):
            refuse_reuse(arrived, loaded, batch)
        elif contains(loaded.seen, mark := fingerprint(arrived.event_id)) and not broken("dedupe"):
            self._repeats.inc()
            answer_repeat(arrived, loaded, batch)
        else:
            self._turns[kind].inc()
            await turns.apply(arrived, loaded, mark)

    async def _redrive(self, arrived: Arrived, loaded: LoadedConversation, batch: LoadedBatch, turns: Turns) -> None:
        """Apply the held events here, in their order, as effects of this record."""
        work, before = batch.work, len(batch.work.outgoing)
        waiting = batch.redriven.get(arrived.key, [])
        left = batch.held_counts.get(arrived.key, 0) - len(waiting)
        work.redriven += [(loaded.id, held.position) for held in waiting]
        records = [parking.as_if_at(held, arrived.record) for held in waiting]
        if left <= 0:
            loaded.held = False
            records += [record._replace(offset=arrived.record.offset) for record in work.held.pop(arrived.key, [])]
        for record in records:
            held = decode(record)
            mark = fingerprint(held.event_id)
            if not contains(loaded.seen, mark):
                await turns.apply(held, loaded, mark)
        made = [outgoing for _, outgoings in work.outgoing[before:] for outgoing in outgoings]
        if left > 0:
            made.append(parking.next_redrive(arrived))
        work.outgoing[before:] = [(arrived.record, made)] if made else []

    def _pass_on(self, arrived: Arrived, batch: LoadedBatch) -> None:
        """Send a person-keyed record to the conversation of the person it names, or refuse it."""
        body = arrived.body
        wanted = self._catalogue.channel_for(body)
        name = person_lookup.named(arrived)
        target = person_lookup.choose(batch.found.get(name) if name else None, wanted)
        if name is None and (keys := batch.peers.get(arrived.key) or self._catalogue.peer_keys(body)):
            target = person_lookup.on_channel(keys, wanted)
        if isinstance(target, Refused):
            refuse(arrived, target, batch)
            return
        channel_type = self._catalogue.channel_type(target)
        batch.work.send(arrived.record, [person_lookup.forwarded(arrived, target, channel_type)])


def _decode(record: Record) -> Arrived | DeadRecord:
    try:
        return decode(record)
    except Undecodable as error:
        return DeadRecord(record, error.code, error.message)
