"""Takes over what others found out: a disabled endpoint, a paused channel, and the last requests of a trigger.

The dispatcher obeys its own findings at once; here they become the entity's state, so that all views have it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import structlog
from pydantic import ValidationError

from contracts import cloudevents, events
from contracts.events import Event
from contracts.registry import Channel, Endpoint
from registry import channels, endpoints, postgres_entities, postgres_trigger_requests, publications
from registry.entities import Stored
from registry.postgres_trigger_requests import TriggerRequest
from registry.site import Site
from registry.unit import Unit
from servicekit.batches import Batch, Commit, Connection
from servicekit.kafka_records import Outgoing, Record, bad_header

GROUP = "switchhook.registry.events"
WANTED = frozenset(
    (cloudevents.TYPE_PREFIX + kind).encode() for kind in ("endpoint.disabled", "channel.paused", "trigger.request")
)

log = structlog.get_logger()


class Finding(NamedTuple):
    """An event that changes an entity: `id` names the endpoint or channel."""

    type: str
    id: str
    timestamp: str
    reason: str | None


class EventState:
    """A handler of servicekit's partition loop."""

    def __init__(self, site: Site, topic: str = events.TOPIC.name) -> None:
        self.topic = topic
        self._site = site

    async def apply(self, batch: Batch) -> Commit:
        wanted = [record for record in batch.records if _is_wanted(record)]
        decoded = [(record, event) for record in wanted if (event := _decoded(record)) is not None]
        requests = [request for record, event in decoded if (request := _request(record, event)) is not None]
        findings = [finding for _, event in decoded if (finding := _finding(event)) is not None]

        if not (requests or findings):
            return Commit()

        async def save(connection: Connection) -> None:
            if requests:
                await postgres_trigger_requests.add(connection, requests)
            if findings:
                await self._take_over(connection, findings)

        return Commit(save=save)

    async def park(self, record: Record, error: Exception, connection: Connection) -> list[Outgoing]:
        return []

    async def on_assigned(self, partitions: set[int], connection: Connection) -> None:
        """Nothing was left by a predecessor."""

    def on_revoked(self, partitions: set[int]) -> None:
        """Nothing is cached."""

    async def _take_over(self, connection: Connection, findings: Iterable[Finding]) -> None:
        generation = await publications.generation(connection)
        for finding in findings:
            if finding.type == "endpoint.disabled":
                await self._disable(connection, generation, finding)
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


def _is_wanted(record: Record) -> bool:
    return any(name == "ce_type" and value in WANTED for name, value in record.headers)


def _decoded(record: Record) -> Event | None:
    """The event; None when it is none: other consumers of the topic tell its writer."""
    try:
        if bad_header(record.headers) is None:
            return Event.model_validate_json(record.value or b"")
    except ValidationError:
        pass
    log.warning("events.unreadable", partition=record.partition, offset=record.offset)
    return None


def _request(record: Record, event: Event) -> TriggerRequest | None:
    trigger = event.data.get("trigger")
    if event.type != "trigger.request" or not isinstance(trigger, dict):
        return None
    data = {name: value for name, value in event.data.items() if name not in ("trigger", "bot")}
    event_id = cloudevents.header(record.headers, "ce_id") or ""
    return TriggerRequest(str(trigger.get("id")), event_id, datetime.fromisoformat(event.timestamp), data)


def _finding(event: Event) -> Finding | None:
    named: Any = event.data.get("endpoint" if event.type == "endpoint.disabled" else "channel")
    if event.type == "trigger.request" or not isinstance(named, dict):
        return None
    reason = event.data.get("reason")
    return Finding(event.type, str(named.get("id")), event.timestamp, reason if isinstance(reason, str) else None)


def _is_older(finding: Finding, stored: Stored[Any], since: str) -> bool:
    """Whether somebody set the state after this was found out."""
    set_at = stored.extra.get(since)
    return set_at is not None and finding.timestamp < set_at
