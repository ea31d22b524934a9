"""Takes over what others found out: a disabled endpoint, a paused channel, circuits, flow versions that nobody needs, the last
requests of a trigger, and who was erased.

The dispatcher obeys its own findings at once; here they become the entity's state, so that all views have it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import ValidationError

from contracts import cloudevents, findings, sentences
from contracts.events import Event
from contracts.registry import Channel, Endpoint, FlowVersion
from registry.entities import Stored
from registry.resources import channels, endpoints, flows
from registry.site import Site
from registry.store import postgres_circuits, postgres_entities, postgres_trigger_requests, publications
from registry.store.postgres_circuits import Told as Circuit
from registry.store.postgres_trigger_requests import TriggerRequest
from registry.writing.unit import Unit
from servicekit.kafka.records import Outgoing, Record
from servicekit.loop.batches import Batch, Commit, Connection, DeadRecord
from servicekit.storable import moment_of, storable

REASON_LIMIT = 500
ID_LIMIT = 128
"""Characters of an entity's id; an index takes no text of any length."""


class Finding(NamedTuple):
    """What changes an entity: `id` names the endpoint, channel or flow version."""

    type: str
    id: str
    timestamp: str
    reason: str | None


class Erased(NamedTuple):
    """A person was erased: of these events nothing may be left."""

    event_ids: tuple[str, ...]


class FindingsHandler:
    """The registry's side of the partition loop over `findings`."""

    topic = findings.TOPIC.name

    def __init__(self, site: Site) -> None:
        self._site = site

    async def apply(self, batch: Batch) -> Commit:
        requests, found, circuits, dead = list[TriggerRequest](), list[Finding](), list[Circuit](), list[DeadRecord]()
        erased = set[str]()
        for record in batch.records:
            match _read(record):
                case TriggerRequest() as request:
                    requests.append(request)
                case Finding() as finding:
                    found.append(finding)
                case Erased(event_ids):
                    erased |= set(event_ids)
                case Circuit() as circuit:
                    circuits.append(circuit)
                case DeadRecord() as unreadable:
                    dead.append(unreadable)

        async def save(connection: Connection) -> None:
            if requests:
                await postgres_trigger_requests.add(connection, requests)
            if erased:
                await postgres_trigger_requests.erase(connection, sorted(erased))
            if circuits:
                await postgres_circuits.note(connection, circuits)
            if found:
                await self._take_over(connection, found)

        return Commit(save, dead=dead)

    async def park(self, record: Record, error: Exception, connection: Connection) -> list[Outgoing]:
        """Nothing depends on a finding here."""
        return []

    async def on_assigned(self, partitions: set[int], connection: Connection) -> None:
        """Nothing was left by a predecessor."""

    def on_revoked(self, partitions: set[int]) -> None:
        """Nothing is cached."""

    async def _take_over(self, connection: Connection, found: Iterable[Finding]) -> None:
        generation = await publications.generation(connection)
        for finding in found:
            if finding.type == "endpoint.disabled":
                await self._disable(connection, generation, finding)
            elif finding.type == "flow_version.unused":
                await self._forget_version(connection, generation, finding)
            else:
                await self._pause(connection, generation, finding)

    async def _disable(self, connection: Connection, generation: int, finding: Finding) -> None:
        stored = await postgres_entities.find(connection, Endpoint, finding.id, lock="FOR UPDATE")
        if stored is not None and stored.entity.state == "enabled" and not _is_older(finding, stored, endpoints.SINCE):
            unit = Unit(connection, stored.project_id, generation, self._site)
            await endpoints.set_state(unit, stored, "disabled", finding.reason)

    async def _pause(self, connection: Connection, generation: int, finding: Finding) -> None:
        stored = await postgres_entities.find(connection, Channel, finding.id, lock="FOR UPDATE")
        if stored is not None and stored.entity.state == "active" and not _is_older(finding, stored, channels.SINCE):
            unit = Unit(connection, stored.project_id, generation, self._site)
            await channels.set_state(unit, stored, "paused", finding.reason)

    async def _forget_version(self, connection: Connection, generation: int, finding: Finding) -> None:
        stored = await postgres_entities.find(connection, FlowVersion, finding.id, lock="FOR UPDATE")
        if stored is not None:
            await flows.forget_unused(Unit(connection, stored.project_id, generation, self._site), stored)


_NAMED = {
    "endpoint.disabled": "endpoint",
    "endpoint.circuit": "endpoint",
    "channel.paused": "channel",
    "flow_version.unused": "flow_version",
    "trigger.request": "trigger",
    "contact.erased": "contact",
}
"""Type -> the key of `data` that says by `id` what it is about."""


def _read(record: Record) -> TriggerRequest | Finding | Circuit | Erased | DeadRecord:
    try:
        event = Event.model_validate_json(record.value or b"")
        moment = moment_of(event.timestamp)
        event_id = cloudevents.header(record.headers, "ce_id") or ""
    except ValidationError as error:
        return DeadRecord(record, *sentences.code_and_reason(error))
    except UnicodeDecodeError:
        return DeadRecord(record, "wrong-schema", "ce_id: not UTF-8")
    except ValueError as error:
        return DeadRecord(record, "wrong-schema", f"timestamp: {error}"[:500])
    if (name := _NAMED.get(event.type)) is None:
        return DeadRecord(record, "unknown-type", f"{event.type} is none of {', '.join(_NAMED)}")
    data: dict[str, Any] = storable(event.data)
    id = _id_in(data.get(name))
    if id is None:
        return DeadRecord(record, "wrong-schema", f"data.{name}: has no id")
    if event.type == "trigger.request":
        return TriggerRequest(id, _id(data.pop("event_id", None)) or storable(event_id), moment, _noted(data))
    if event.type == "endpoint.circuit":
        return _circuit(record, id, moment, data.get("circuit"))
    if event.type == "contact.erased":
        given = data.get("event_ids")
        return Erased(tuple(filter(None, map(_id, given))) if isinstance(given, list) else ())
    reason = data.get("reason")
    return Finding(event.type, id, event.timestamp, reason if isinstance(reason, str) else None)


def _circuit(record: Record, id: str, at: datetime, told: Any) -> Circuit | DeadRecord:
    next_try, reason = (told.get("next_try"), told.get("reason")) if isinstance(told, dict) else (None, None)
    try:
        until = moment_of(next_try) if isinstance(next_try, str) else None
    except ValueError as error:
        return DeadRecord(record, "wrong-schema", f"data.circuit.next_try: {error}"[:500])
    return Circuit(id, at, until, reason[:REASON_LIMIT] if isinstance(reason, str) else None)


def _id_in(named: Any) -> str | None:
    return _id(named.get("id")) if isinstance(named, dict) else None


def _id(given: Any) -> str | None:
    return given if isinstance(given, str) and 0 < len(given) <= ID_LIMIT else None


def _noted(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key not in ("trigger", "bot")}


def _is_older(finding: Finding, stored: Stored[Any], since: str) -> bool:
    """Whether somebody set the state after this was found out."""
    set_at = stored.extra.get(since)
    return set_at is not None and finding.timestamp < set_at
