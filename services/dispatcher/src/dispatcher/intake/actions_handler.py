"""The actions topic: each record becomes one delivery, of the kind that its action has in the table of kinds."""

from __future__ import annotations

from datetime import UTC, datetime

from contracts import actions
from dispatcher.errors import Unreadable
from dispatcher.intake import dead_calls
from dispatcher.intake.decoding import ActionDecoder, Arrived, DayWindow
from dispatcher.intake.erasing import erased, is_erasure
from dispatcher.intake.takeover import Takeover, source_of
from dispatcher.model.delivery import Delivery, DeliveryKind
from dispatcher.model.keys import key_of
from dispatcher.store.port import DeliveryStore
from servicekit.kafka.records import Outgoing, Record
from servicekit.loop.batches import Batch, Commit, Connection, DeadRecord

NAME = "actions"
NOT_MADE = "The call could not be made and went to the dead letters."


class ActionsHandler:
    """The dispatcher's side of the partition loop over `actions`."""

    topic = actions.TOPIC.name

    def __init__(self, store: DeliveryStore, takeover: Takeover, days: DayWindow, decoder: ActionDecoder) -> None:
        self._store, self._takeover, self._days, self._decoder = store, takeover, days, decoder

    async def apply(self, batch: Batch) -> Commit:
        deliveries, dead, now = list[Delivery](), list[DeadRecord](), datetime.now(UTC)
        answers, superseded = list[tuple[Record, list[Outgoing]]](), dict[str, int]()
        until: int | None = None
        for count, record in enumerate(batch.records):
            try:
                if is_erasure(record):
                    if not count:
                        return erased(record, self._store, self._takeover)
                    until = count
                    break
                arrived, kind = self._decoder.decode(record)
                if kind is None:
                    _note_superseded(superseded, arrived.body)
                    continue
                deliveries.append(delivery_of(arrived, kind, self._days, now))
            except Unreadable as error:
                dead.append(DeadRecord(record, error.code, str(error)))
                answers.append((record, dead_calls.answer(record, NOT_MADE)))
        commit = await self._takeover.commit(deliveries, dead, superseded)
        commit.outgoing += [each for each in answers if each[1]]
        commit.applied = until
        return commit

    async def park(self, record: Record, error: Exception, connection: Connection) -> list[Outgoing]:
        """Nothing depends on an action but its own delivery, and on a call who waits for it."""
        return dead_calls.answer(record, NOT_MADE)

    async def on_assigned(self, partitions: set[int], connection: Connection) -> None:
        await self._takeover.take(NAME, partitions, connection)

    def on_revoked(self, partitions: set[int]) -> None:
        self._takeover.leave(NAME, partitions)


def _note_superseded(superseded: dict[str, int], action: actions.SupersedeMessages) -> None:
    """The lane of a conversation's messages is the conversation."""
    superseded[action.conversation] = max(action.owner_epoch, superseded.get(action.conversation, 0))


def delivery_of(arrived: Arrived, kind: DeliveryKind, days: DayWindow, now: datetime) -> Delivery:
    """The row that an action becomes. Raises Unreadable for an id or a time that is none."""
    action: actions.ActionBase = arrived.body
    try:
        lane, seq = kind.lane(action) or (None, None)
        return Delivery(
            key=key_of(action.id),
            day=days.day_of(action.day),
            project_id=action.project_id,
            kind=kind,
            queue_id=0,
            destination=f"{kind.prefix}:{kind.target(action)}",
            source=source_of(NAME, arrived.record.partition),
            payload=arrived.record.value or b"",
            lane=lane,
            seq=seq,
            expires_at=kind.expires(action, now),
            conversation=action.conversation,
            contact_id=action.contact_id,
            traceparent=arrived.traceparent,
            hops=action.hops,
            parsed=action,
        )
    except ValueError as error:
        raise Unreadable("wrong-schema", str(error)[:500]) from error
