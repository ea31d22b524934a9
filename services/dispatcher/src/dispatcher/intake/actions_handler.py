"""The actions topic: each record becomes one delivery."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from contracts import actions
from contracts.actions import ChannelCall, PostWebhook, SendMessage
from dispatcher.errors import Unreadable
from dispatcher.intake import decoding
from dispatcher.intake.decoding import Arrived, DayWindow
from dispatcher.intake.egress_host import host_of
from dispatcher.intake.takeover import Takeover
from dispatcher.model import KIND_OF_ACTION, Delivery
from dispatcher.results.conclusions import call_expiry
from dispatcher.scheduling.destinations import Lanes
from dispatcher.scheduling.holdings import Holdings
from servicekit.kafka.records import Outgoing, Record
from servicekit.loop.batches import Batch, Commit, Connection, DeadRecord

NAME = "actions"


class ActionsHandler:
    """The dispatcher's side of the partition loop over `actions`."""

    topic = actions.TOPIC.name

    def __init__(self, takeover: Takeover, holdings: Holdings, lanes: Lanes, days: DayWindow) -> None:
        self._takeover, self._holdings, self._lanes, self._days = takeover, holdings, lanes, days

    async def apply(self, batch: Batch) -> Commit:
        deliveries, dead = list[Delivery](), list[DeadRecord]()
        for record in batch.records:
            try:
                deliveries.append(delivery_of(decoding.decode_action(record), self._days))
            except Unreadable as error:
                dead.append(DeadRecord(record, error.code, str(error)))
        return await self._takeover.commit(deliveries, dead)

    async def park(self, record: Record, error: Exception, connection: Connection) -> list[Outgoing]:
        """Nothing depends on an action but its own delivery, and that was never made."""
        return []

    async def on_assigned(self, partitions: set[int], connection: Connection) -> None:
        self._takeover.check(await self._holdings.take(map(source_of, partitions), self._lanes, connection))

    def on_revoked(self, partitions: set[int]) -> None:
        self._holdings.leave(map(source_of, partitions), self._lanes)


def source_of(partition: int) -> str:
    return f"{NAME}/{partition}"


def delivery_of(arrived: Arrived, days: DayWindow) -> Delivery:
    """The row that an action becomes. Raises Unreadable for an id or a time that is none."""
    action = arrived.body
    try:
        delivery = Delivery(
            key=UUID(action.id),
            day=days.day_of(action.day),
            project_id=action.project_id,
            kind=KIND_OF_ACTION[action.kind],
            queue_id=0,
            destination=destination_of(action),
            source=source_of(arrived.record.partition),
            payload=arrived.record.value or b"",
            conversation=action.conversation,
            contact_id=action.contact_id,
            traceparent=arrived.traceparent,
            hops=action.hops,
            parsed=action,
        )
        if isinstance(action, SendMessage):
            delivery.lane, delivery.seq = action.conversation, action.seq
            delivery.expires_at = datetime.fromisoformat(action.expires_at)
        elif delivery.kind in ("call", "channel_call", "acknowledge"):
            delivery.expires_at = call_expiry(datetime.now(UTC))
    except ValueError as error:
        raise Unreadable("wrong-schema", str(error)[:500]) from error
    return delivery


def destination_of(action: actions.ActionBase) -> str:
    """What shares a concurrency, a rate and a circuit: a channel, an API call, the host of an inline URL."""
    if isinstance(action, PostWebhook):
        return f"host:{host_of(action.url)}"
    if isinstance(action, actions.CallApi):
        return f"api:{action.api_call_id}"
    prefix = "channel-call" if isinstance(action, ChannelCall) else "channel"
    return f"{prefix}:{action.channel_id}"  # type: ignore[attr-defined]  # the remaining kinds have one
