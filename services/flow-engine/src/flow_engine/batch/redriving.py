"""Applies what waits in held conversations, in its order, as effects of the record that has it applied."""

from __future__ import annotations

from flow_engine.batch import parking
from flow_engine.batch.decoding import decode
from flow_engine.batch.loading import LoadedBatch, Redriven
from flow_engine.batch.without_turn import answer_repeat, is_another_request, refuse_reuse
from flow_engine.programs.deferring import Deferring
from flow_engine.state.rows import TurnOf
from flow_engine.state.seen import contains, fingerprint
from flow_engine.state.work import LoadedConversation
from flow_engine.turn.event import Arrived
from flow_engine.turn.turns import Turns

_NOTHING = Redriven([], has_failed=False)


class Redriving:
    """Of one batch."""

    def __init__(self, batch: LoadedBatch, turns: Turns, deferring: Deferring) -> None:
        self._batch, self._turns, self._deferring = batch, turns, deferring

    async def redrive(self, arrived: Arrived, loaded: LoadedConversation) -> None:
        """Go on with a held conversation, as far as its turns are there."""
        work, before = self._batch.work, len(self._batch.work.outgoing)
        found = self._batch.redriven.get(arrived.key, _NOTHING)
        waits = found.events or work.held.get(arrived.key)
        if arrived.body.deferred and (found.has_failed or not waits):
            self._deferring.drop(arrived.key)  # It waits for an operator, or for nothing.
        elif await self._apply([], arrived, loaded, here=found.has_failed):
            work.send(arrived.record, [parking.next_redrive(arrived)])
        work.join_outgoing(before, arrived.record)

    async def apply_crowd(self, arrived: Arrived, loaded: LoadedConversation) -> bool:
        """Where too many events wait for a deferred turn: apply them, however long it takes, and this one behind the last.

        False: this one has to wait.
        """
        found = self._batch.redriven.get(arrived.key, _NOTHING)
        if arrived.key not in self._batch.crowded or found.has_failed:
            return False
        self._batch.crowded.discard(arrived.key)
        before = len(self._batch.work.outgoing)
        if await self._apply([arrived], arrived, loaded, here=True):
            self._deferring.let_wait([TurnOf(arrived.record.partition, arrived.key, arrived.body.project_id)])
        self._batch.work.join_outgoing(before, arrived.record)
        return not loaded.held

    async def _apply(self, last: list[Arrived], cause: Arrived, loaded: LoadedConversation, *, here: bool) -> bool:
        """Apply what was loaded, then what waits in this batch and `last`. Whether there is more that was not loaded."""
        batch, key = self._batch, cause.key
        stored = batch.redriven.get(key, _NOTHING).events
        left = max(0, batch.held_counts.get(key, 0) - len(stored))
        events = [event for _, event in stored]
        if not left:
            held = batch.work.held.pop(key, [])
            events += [*(decode(record._replace(offset=cause.record.offset)) for record in held), *last]
        applied = await self._in_order(events, loaded, here=here)
        batch.work.redriven += [(loaded.id, position) for position, _ in stored[:applied]]
        if unsaved := events[max(applied, len(stored)) :]:
            batch.work.held[key] = [event.record for event in unsaved]
        batch.redriven[key] = Redriven(stored[applied:], has_failed=False)
        batch.held_counts[key] = left + len(stored[applied:])
        loaded.held = left > 0 or applied < len(events)
        if applied == len(events):
            self._deferring.drop(key)
        return left > 0 and applied == len(events)

    async def _in_order(self, events: list[Arrived], loaded: LoadedConversation, *, here: bool) -> int:
        """How many were applied until the turn of one was deferred."""
        for count, event in enumerate(events):
            mark = fingerprint(event.event_id)
            if is_another_request(event, self._batch):
                refuse_reuse(event, loaded, self._batch)
            elif contains(loaded.seen, mark):
                answer_repeat(event, loaded, self._batch)
            elif not await self._turns.apply(event, loaded, mark, here=here):
                return count
        return len(events)
