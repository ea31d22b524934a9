"""Lets events wait in held conversations, and applies what waits, in its order, as effects of the record that has it applied."""

from __future__ import annotations

from typing import Protocol

from flow_engine.batch import parking
from flow_engine.batch.decoding import decoded
from flow_engine.batch.loading import LoadedBatch
from flow_engine.batch.parking import Redriven, sentence
from flow_engine.errors import RedriveFailed
from flow_engine.programs.deferring import Deferring
from flow_engine.state.rows import TurnOf
from flow_engine.turn.event import Arrived
from servicekit.loop.batches import DeadRecord
from servicekit.loop.infrastructure import is_infrastructure


class ApplyOne(Protocol):
    """Applies one event of the batch."""

    async def __call__(self, arrived: Arrived | DeadRecord, *, here: bool) -> bool:
        """False: its turn is deferred, which `here` rules out."""
        ...


class Redriving:
    """Of one batch."""

    def __init__(self, batch: LoadedBatch, apply_one: ApplyOne, deferring: Deferring) -> None:
        self._batch, self._apply_one, self._deferring = batch, apply_one, deferring
        self._behind: set[str] = set()
        """Keys of those that are crowded, also where not all could be applied: nothing is dropped of them."""

    def defer(self, arrived: Arrived) -> None:
        """The event's turn is deferred: it is the first that waits in its conversation."""
        self._batch.work.conversations[arrived.key].held = True
        self._batch.work.deferred.add(arrived.key)
        self._note_digest(arrived)
        parking.hold(self._batch.work, arrived.record, arrived.key, 0)

    async def let_wait(self, arrived: Arrived) -> None:
        """The event waits behind others; where those are too many, and wait for a deferred turn, all are applied now."""
        batch, key = self._batch, arrived.key
        if key in batch.crowded:
            batch.crowded.discard(key)
            self._behind.add(key)
            redriven, before = batch.redriven.pop(key), len(batch.work.outgoing)
            await self._apply(arrived, redriven, [arrived], here=True)
            batch.work.join_outgoing(before, arrived.record)
            if redriven.next is not None:
                self._deferring.let_wait([TurnOf(arrived.record.partition, key, arrived.body.project_id)])
        if batch.work.conversations[key].held:
            self._note_digest(arrived)
            most = parking.MOST_BEHIND if key in self._behind else parking.MOST_HELD
            if arrived.body.project_id in batch.full_projects and key not in self._behind:
                batch.work.dead.append(parking.too_much_waits(arrived.record))
                return
            parking.hold(batch.work, arrived.record, key, batch.held_counts.get(key, 0), most)

    def _note_digest(self, arrived: Arrived) -> None:
        """Another request under its id, of this batch, is not to be taken for it."""
        if arrived.body.request_digest is not None:
            self._batch.work.digests.setdefault(arrived.event_id, arrived.body.request_digest)

    async def redrive(self, arrived: Arrived) -> None:
        """Go on with a held conversation, as far as its turns are there."""
        batch, before = self._batch, len(self._batch.work.outgoing)
        redriven = batch.redriven.get(arrived.key)
        if redriven is None:
            return  # A second redrive of the batch: the first one takes care of it.
        if arrived.body.deferred and not redriven.deferred:
            if arrived.key not in batch.work.deferred:  # Else it waits for a turn that this very batch has begun.
                self._deferring.drop(arrived.key)  # It waits for an operator, or for nothing.
            return
        here = not redriven.deferred or arrived.key in batch.crowded
        if arrived.key in batch.crowded:
            batch.crowded.discard(arrived.key)
            self._behind.add(arrived.key)
        del batch.redriven[arrived.key]
        all_applied = await self._apply(arrived, redriven, [], here=here)
        if all_applied and redriven.next is not None:
            batch.work.send(arrived.record, [parking.next_redrive(arrived)])
        batch.work.join_outgoing(before, arrived.record)

    async def _apply(self, cause: Arrived, redriven: Redriven, last: list[Arrived], *, here: bool) -> bool:
        """What was loaded, then, unless there is more, what this batch let wait, and `last`. Whether all was applied."""
        work, key, stored = self._batch.work, cause.key, len(redriven.events)
        events = [event.arrived for event in redriven.events]
        if redriven.next is None:
            work.deferred.discard(key)
            waiting = work.held.pop(key, [])
            events += [*(decoded(record._replace(offset=cause.record.offset)) for record in waiting), *last]
        applied = await self._in_order(events, redriven, here=here)
        work.redriven += [(redriven.conversation, event.position) for event in redriven.events[:applied]]
        all_applied = applied == len(events)
        if applied < stored:
            work.deferrals.append((redriven.conversation, redriven.events[applied].position))
        elif not all_applied:
            work.deferred.add(key)
        elif redriven.next is not None and redriven.deferred:
            work.deferrals.append((redriven.conversation, redriven.next))
        if unsaved := events[max(applied, stored) :]:
            work.held[key] = [event.record for event in unsaved]
        self._note(key, held=redriven.next is not None or not all_applied, fewer=min(applied, stored))
        return all_applied

    def _note(self, key: str, *, held: bool, fewer: int) -> None:
        counts = self._batch.held_counts
        counts[key] = max(0, counts.get(key, 0) - fewer)
        if loaded := self._batch.work.conversations.get(key):
            loaded.held = held
        if not held:
            self._deferring.drop(key)

    async def _in_order(self, events: list[Arrived | DeadRecord], redriven: Redriven, *, here: bool) -> int:
        """How many were applied until the turn of one was deferred."""
        for count, event in enumerate(events):
            try:
                if not await self._apply_one(event, here=here):
                    return count
            except Exception as error:
                if is_infrastructure(error) or count >= len(redriven.events):
                    raise
                position = redriven.events[count].position
                raise RedriveFailed(redriven.conversation, position, sentence(error)) from error
        return len(events)
