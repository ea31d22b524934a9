"""The events topic: one delivery for each endpoint that an event goes to, and a copy where its project has topics of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import starmap
from typing import Any

from contracts import events
from contracts.cloudevents import REGISTRY_INCARNATION, REGISTRY_OFFSET
from contracts.event_types import EVENTS
from contracts.registry import Endpoint
from dispatcher.copies.chosen import Copies
from dispatcher.errors import Unreadable
from dispatcher.intake import decoding, fan_out
from dispatcher.intake.decoding import Arrived, DayWindow
from dispatcher.intake.takeover import Takeover, source_of
from dispatcher.kinds import event
from dispatcher.model.delivery import Delivery
from dispatcher.model.keys import derived_key
from dispatcher.sending.programs import Programs
from servicekit.kafka.records import Outgoing, Record
from servicekit.loop.batches import Batch, Commit, Connection, DeadRecord, Infrastructure
from servicekit.observability.current_trace import in_trace
from servicekit.registry_view.stamps import Stamp, stamp_of
from servicekit.registry_view.view import RegistryView

NAME = "events"
VIEW_SECONDS = 5.0
Headers = Mapping[str, bytes | None]


class EventsHandler:
    """The dispatcher's side of the partition loop over `events`."""

    topic = events.TOPIC.name

    def __init__(
        self, takeover: Takeover, days: DayWindow, view: RegistryView, programs: Programs, copies: Copies
    ) -> None:
        self._takeover, self._days, self._view, self._programs = takeover, days, view, programs
        self._copies = copies
        self._chosen: dict[str, dict[str, tuple[Endpoint, ...]]] = {}
        view.on_change(self._changed)

    async def apply(self, batch: Batch) -> Commit:
        headers = [dict(record.headers) for record in batch.records]
        await self._reach(headers)
        deliveries, dead = list[Delivery](), list[DeadRecord]()
        for record, its in zip(batch.records, headers, strict=True):
            if self._is_for_nobody(its):
                continue
            try:
                deliveries += await self._fan_out(decoding.decode_event(record))
            except Unreadable as error:
                dead.append(DeadRecord(record, error.code, str(error)))
        commit = await self._takeover.commit(deliveries, dead)
        return self._copies.beside(commit, self._copies.chosen(batch.records, headers))

    async def park(self, record: Record, error: Exception, connection: Connection) -> list[Outgoing]:
        """Nothing depends on an event here; its copy follows when it is released from the dead letters."""
        return []

    async def on_assigned(self, partitions: set[int], connection: Connection) -> None:
        await self._takeover.take(NAME, partitions, connection)
        await self._copies.take(partitions, connection)

    def on_revoked(self, partitions: set[int]) -> None:
        self._takeover.leave(NAME, partitions)
        self._copies.leave(partitions)

    async def _reach(self, headers: Iterable[Headers]) -> None:
        """The registry as the writers knew it: an endpoint made before an event gets that event."""
        stamps = {(each.get(REGISTRY_OFFSET), each.get(REGISTRY_INCARNATION)) for each in headers}
        if not await self._view.knows(starmap(_stamp, stamps), VIEW_SECONDS):
            raise Infrastructure("the registry view is behind what the writers of these events had read")

    def _is_for_nobody(self, headers: Headers) -> bool:
        """Whether no endpoint of its project wants its type, as with most events; its body need not be read then."""
        project, type = decoding.frame_of(headers)
        return project is not None and type in EVENTS and not self._of_project(project).get(type)

    async def _fan_out(self, arrived: Arrived) -> list[Delivery]:
        """The rows that an event becomes. Raises Unreadable for a time that is none."""
        chosen = self._of_project(arrived.project_id).get(arrived.body["type"], ())
        return [_delivery(arrived, each, self._days) for each in chosen if await self._matches(each, arrived)]

    async def _matches(self, endpoint: Endpoint, arrived: Arrived) -> bool:
        if not fan_out.matches(endpoint, arrived.body):
            return False
        wanted = endpoint.filter
        if wanted is None:
            return True
        with in_trace(arrived.traceparent):
            return await self._programs.lets_through(arrived.project_id, endpoint.id, wanted, arrived.body)

    def _of_project(self, project_id: str) -> dict[str, tuple[Endpoint, ...]]:
        chosen = self._chosen.get(project_id)
        if chosen is None:
            chosen = self._chosen[project_id] = fan_out.by_type(self._view.all("endpoint", project_id))
        return chosen

    def _changed(self, kind: str, id: str, entity: Any) -> None:
        if kind == "endpoint":
            self._chosen.clear()


def _stamp(offset: bytes | None, incarnation: bytes | None) -> Stamp:
    """How far the writer had read the registry; what cannot be read is waited for by nobody."""
    given = {REGISTRY_OFFSET: offset, REGISTRY_INCARNATION: incarnation}
    try:
        return stamp_of({name: value.decode() for name, value in given.items() if value})
    except ValueError:
        return Stamp()


def _delivery(arrived: Arrived, endpoint: Endpoint, days: DayWindow) -> Delivery:
    data = arrived.body["data"]
    conversation = data.get("conversation_id")
    disabled, ordered = endpoint.state == "disabled", endpoint.ordered
    return Delivery(
        key=derived_key(arrived.id, endpoint.id),
        day=days.day_of(arrived.body["timestamp"]),
        project_id=arrived.project_id,
        kind=event.KIND,
        queue_id=0,
        destination=f"{event.KIND.prefix}:{event.KIND.target(endpoint)}",
        source=source_of(NAME, arrived.record.partition),
        payload=arrived.record.value or b"",
        lane=f"{endpoint.id}/{conversation or '-'}" if ordered and not disabled else None,
        seq=arrived.record.offset if ordered else None,
        state="discarded" if disabled else "in_flight",
        conversation=conversation,
        contact_id=(data.get("contact") or {}).get("id"),
        event_type=arrived.body["type"],
        event_id=arrived.id,
        traceparent=arrived.traceparent,
        hops=arrived.hops,
        error="The endpoint is disabled." if disabled else None,
        parsed=arrived.body,
    )
