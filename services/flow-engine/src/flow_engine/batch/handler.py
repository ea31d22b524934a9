"""The engine's side of the partition loop: a batch of inbound records in, one transaction and what leaves out."""

from __future__ import annotations

import asyncio
import time
from functools import partial

import structlog

from contracts import inbound
from flow_engine.batch import erasing, importing, person_lookup
from flow_engine.batch.channel_windows import window
from flow_engine.batch.decoding import decoded
from flow_engine.batch.held_shares import HeldShares
from flow_engine.batch.loading import LoadedBatch, load
from flow_engine.batch.parking import sentence
from flow_engine.batch.redriving import Redriving
from flow_engine.batch.without_turn import answer_repeat, attach, is_another_request, received, refuse, refuse_reuse
from flow_engine.catalogue.port import Catalogue
from flow_engine.errors import RedriveFailed
from flow_engine.programs.deferring import Deferring
from flow_engine.state.broadcasts import OPEN, RecipientKey
from flow_engine.state.limits import COMMANDS_A_SECOND, MOST_COMMANDS
from flow_engine.state.seen import contains, fingerprint
from flow_engine.store.port import ConversationStore
from flow_engine.turn import broadcasts
from flow_engine.turn.event import Arrived
from flow_engine.turn.kinds import KINDS
from flow_engine.turn.own_contacts import GONE
from flow_engine.turn.turns import Turns
from flowlang.model import Refused
from servicekit.failpoints import broken
from servicekit.kafka.records import Outgoing, Record
from servicekit.loop.batches import Batch, Commit, Connection, DeadRecord, Infrastructure
from servicekit.observability.current_trace import in_trace
from servicekit.observability.metrics import counter
from servicekit.workers.allowances import Allowances

YIELD_EVERY_RECORDS = 16
"""After so many records the commit of another batch, heartbeats and HTTP get their turn on the event loop."""
REGISTRY_WAIT = 5.0
"""Seconds for the registry view to reach what a record's writer had read: it may name a flow that is only just there."""

log = structlog.get_logger()


class EngineHandler:
    """servicekit.loop.batches.Handler over conversations."""

    topic = inbound.TOPIC.name

    def __init__(
        self, store: ConversationStore, catalogue: Catalogue, deferring: Deferring, *, compute_budget: float = 0.2
    ) -> None:
        """`compute_budget`: seconds after which a batch ends early."""
        self._store, self._catalogue, self._deferring, self._budget = store, catalogue, deferring, compute_budget
        self._shares = HeldShares()
        self._commands = Allowances(free=0.0, most=MOST_COMMANDS, rate=COMMANDS_A_SECOND)
        self._repeats = counter("switchhook_repeats_total").labels(self.topic)
        turns = counter("switchhook_turns_total")
        self._settled = counter("switchhook_broadcast_recipients_total")
        self._turns = {kind: turns.labels(kind) for kind in KINDS}

    async def apply(self, batch: Batch) -> Commit:
        """See servicekit.loop.batches.Handler."""
        all_arrived = [decoded(record) for record in batch.records]
        good = [arrived for arrived in all_arrived if isinstance(arrived, Arrived)]
        await self._wait_for_registry(good)
        async with self._store.reading() as reads:
            loaded = await load(reads, good, self._catalogue.peer_keys, self._shares) if good else LoadedBatch()
        self._deferring.refuse(loaded.full_projects)
        await self._wait_for_registry(loaded.waiting())
        await self._catalogue.prepare(one.conversation for one in loaded.work.conversations.values())
        applied = await self._apply_in_order(all_arrived, loaded)
        for kind, made in loaded.turns.items():
            self._turns[kind].inc(made)
        for change in loaded.work.recipient_changes.values():
            if change.outcome not in OPEN:
                self._settled.labels(change.outcome).inc()
        self._shares.note(loaded.work.conversations[key].conversation.project_id for key in loaded.work.held)
        work = loaded.work
        return Commit(partial(self._store.save, work), work.outgoing, work.dead, applied=applied)

    async def park(self, record: Record, error: Exception, connection: Connection) -> list[Outgoing]:
        """Hold the conversation from this record on. A failed redrive leaves everything held, and says which event failed."""
        arrived = decoded(record)
        if isinstance(arrived, DeadRecord):
            return []
        self._deferring.drop(arrived.key)
        self._shares.note([arrived.body.project_id])
        if arrived.body.kind != "redrive":
            await self._store.hold(record, arrived.key, sentence(error), connection)
        elif isinstance(error, RedriveFailed):
            await self._store.held_failed(error.conversation, error.position, str(error), connection)
        with in_trace(arrived.traceparent):
            log.error("conversation.held", conversation=arrived.key, offset=record.offset, error=repr(error))
        return []

    async def on_assigned(self, partitions: set[int], connection: Connection) -> None:
        """Find the turns that were deferred, and learn what nobody may start on."""
        self._catalogue.retire(await self._store.retired(connection))
        turns = await self._store.deferred(partitions, connection)
        self._shares.note(whose.project for whose in turns)
        self._deferring.forget(partitions)  # A batch that was in hand when they were revoked has gone on meanwhile.
        self._deferring.let_wait(turns)

    def on_revoked(self, partitions: set[int]) -> None:
        """Turns in the making are given up: whoever holds the partition makes them again."""
        self._deferring.forget(partitions)

    async def _wait_for_registry(self, good: list[Arrived]) -> None:
        """`good`: of the batch, then of the held events that it redrives."""
        if not await self._catalogue.knows({arrived.stamp for arrived in good}, REGISTRY_WAIT):
            raise Infrastructure("the registry view is behind what the writers of these records had read")

    async def _apply_in_order(self, all_arrived: list[Arrived | DeadRecord], batch: LoadedBatch) -> int:
        """How many records were applied before the compute budget was spent; at least one."""
        turns = Turns(batch.work, self._catalogue, self._deferring, self._commands)
        redriving = Redriving(batch, partial(self._apply_one, batch, turns), self._deferring)
        end = time.perf_counter() + self._budget
        for count, arrived in enumerate(all_arrived):
            if count and (time.perf_counter() > end or (isinstance(arrived, Arrived) and arrived.key in batch.full)):
                return count
            if count % YIELD_EVERY_RECORDS == YIELD_EVERY_RECORDS - 1:
                await asyncio.sleep(0)
            if isinstance(arrived, Arrived) and arrived.body.kind == "erase":
                return count or self._erase(arrived, batch)
            if isinstance(arrived, Arrived) and arrived.body.kind == "redrive":
                await redriving.redrive(arrived)
            elif isinstance(arrived, Arrived) and _is_held(arrived, batch):
                await redriving.let_wait(arrived)
            elif not await self._apply_one(batch, turns, arrived) and isinstance(arrived, Arrived):
                redriving.defer(arrived)
        return len(all_arrived)

    def _erase(self, arrived: Arrived, batch: LoadedBatch) -> int:
        """Alone in its batch: what it reads is saved, and what comes behind it begins anew."""
        self._deferring.drop(arrived.key)
        erasing.erase(arrived, batch)
        return 1

    async def _apply_one(
        self, batch: LoadedBatch, turns: Turns, arrived: Arrived | DeadRecord, *, here: bool = False
    ) -> bool:
        """False: its turn is deferred, which `here` rules out."""
        if isinstance(arrived, DeadRecord):
            batch.work.dead.append(arrived)
        elif erasing.is_of_before(arrived, batch):
            refuse(arrived, GONE, batch)
        elif arrived.person_keyed:
            self._pass_on(arrived, batch)
        elif arrived.body.kind == "contact_import":
            lines = batch.imported[arrived.event_id]
            await importing.apply(arrived, lines, batch.work, self._catalogue, batch.erased_names)
            batch.turns["contact_update"] += len(lines)
        elif arrived.body.kind == "webhook_received":
            received(arrived, batch, self._catalogue)
        elif arrived.body.kind == "erasure_done":
            batch.work.erasures_done.append((arrived.body.erasure, None if arrived.body.again else arrived.key))
        elif arrived.body.kind == "attach":
            attach(arrived, batch.work.conversations[arrived.key], batch)
        elif (recipient := broadcasts.key_of(arrived)) is not None:
            return await self._broadcast(recipient, arrived, batch, turns, here=here)
        else:
            return await self._turn(arrived, batch, turns, here=here)
        return True

    async def _broadcast(
        self, recipient: RecipientKey, arrived: Arrived, batch: LoadedBatch, turns: Turns, *, here: bool
    ) -> bool:
        if not broadcasts.may_begin(arrived, recipient, batch.work, partial(window, self._catalogue)):
            return True
        if not await self._turn(arrived, batch, turns, here=here):
            return False
        broadcasts.note_begun(arrived, recipient, batch.work)
        return True

    async def _turn(self, arrived: Arrived, batch: LoadedBatch, turns: Turns, *, here: bool) -> bool:
        loaded = batch.work.conversations[arrived.key]
        mark = fingerprint(arrived.event_id)
        if is_another_request(arrived, batch):
            refuse_reuse(arrived, loaded, batch)
        elif contains(loaded.seen, mark) and not broken("dedupe"):
            self._repeats.inc()
            answer_repeat(arrived, loaded, batch)
        elif await turns.apply(arrived, loaded, mark, here=here):
            batch.turns[arrived.body.kind] += 1
        else:
            return False
        return True

    def _pass_on(self, arrived: Arrived, batch: LoadedBatch) -> None:
        """Send a person-keyed record to the conversation of the person it names, or refuse it."""
        body = arrived.body
        wanted = self._catalogue.channel_for(body)
        name = person_lookup.named(arrived)
        if name in batch.own_ids and person_lookup.goes_to_contact(arrived, batch.found.get(name)):
            batch.work.send(arrived.record, [person_lookup.to_contact(arrived, batch.own_ids[name])])
            return
        target = person_lookup.choose(batch.found.get(name) if name else None, wanted)
        if name is None and (keys := batch.peers.get(arrived.key) or self._catalogue.peer_keys(body)):
            target = person_lookup.on_channel(keys, wanted)
        if isinstance(target, Refused):
            refuse(arrived, target, batch)
            return
        channel_type = self._catalogue.channel_type(target)
        batch.work.send(arrived.record, [person_lookup.forwarded(arrived, target, channel_type)])


def _is_held(arrived: Arrived, batch: LoadedBatch) -> bool:
    """Whether it has to wait behind others of its conversation. What makes no turn never waits."""
    if arrived.person_keyed or arrived.body.kind in ("attach", "erasure_done"):
        return False
    return batch.work.conversations[arrived.key].held
