"""The one way into Kafka: a record is built once, acknowledged, and only then is the caller told so (guarantees.md 1.1)."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import Any, Literal, NamedTuple

import orjson
import structlog

from contracts import cloudevents, events, inbound
from contracts.event_types import EventType
from contracts.events import Event
from contracts.inbound import InboundBase
from ingress.ports import Asking, Publishing, View
from servicekit.kafka.publisher import NotAcknowledged
from servicekit.kafka.records import Outgoing
from servicekit.observability.metrics import counter
from servicekit.web.asking import Question, WaitingCallers
from servicekit.web.problems import ProblemError, unavailable

RECORD_LIMIT = 1_400_000
"""Bytes of a normalised record's value; the engine parks what is over 1.5 MiB."""
SOURCE = "switchhook/ingress"
UNKNOWN = (
    "Kafka did not confirm it in time, so whether it was taken is unknown: send it again as it was, with the same"
    " Idempotency-Key, or client_message_id where it has one."
)

log = structlog.get_logger()


class Encoded(NamedTuple):
    """An inbound record whose value is made already: a hot path that does without the model's object."""

    kind: str
    project_id: str
    received_at: str
    value: bytes

    def encode(self) -> bytes:
        return self.value


class Intake:
    """Publishes records and events, and hands out questions to the engine."""

    def __init__(self, publisher: Publishing, asker: Asking, view: View, callers: WaitingCallers) -> None:
        self._publisher, self._asker, self._view, self.callers = publisher, asker, view, callers
        self._side_work: set[asyncio.Task[None]] = set()
        accepted = counter("switchhook_ingress_accepted_total")
        self._accepted = {
            name: accepted.labels(name) for name in ("trigger", "url", "channel", "chat", "command", "attach")
        }

    async def accept(
        self, body: InboundBase | Encoded, *, key: str, event_id: str, traceparent: str, source: str
    ) -> None:
        """Return once Kafka has the record. Raises ProblemError 413 or 503."""
        await self.publish(self.record(body, key=key, event_id=event_id, traceparent=traceparent))
        self._accepted[source].inc()

    def record(self, body: InboundBase | Encoded, *, key: str, event_id: str, traceparent: str) -> Outgoing:
        """The inbound record. Raises ProblemError 413 when it is larger than the engine takes."""
        value = body.encode()
        if len(value) > RECORD_LIMIT:
            raise ProblemError(
                "too-large",
                413,
                "Too large",
                f"As a record it has {len(value)} bytes; at most {RECORD_LIMIT} are taken.",
            )
        kind: str = body.kind  # type: ignore[union-attr]
        headers = cloudevents.headers(
            id=event_id,
            type="inbound." + kind,
            source=SOURCE,
            time=body.received_at,
            subject=key,
            project=body.project_id,
            traceparent=traceparent,
        )
        headers += self._view.stamp.headers()
        return Outgoing(inbound.TOPIC.name, key.encode(), value, headers)

    async def publish(self, record: Outgoing) -> None:
        """Return once Kafka has it. Raises ProblemError 503."""
        try:
            await self._publisher.publish(record)
        except NotAcknowledged as error:
            raise unavailable(UNKNOWN) from error

    def ask(self, until: Literal["verdict", "rest"]) -> Question:
        """A question to the engine, for a record that is about to be accepted."""
        return Question(*self._asker.ask(until))

    def event(
        self,
        type: EventType,
        data: dict[str, Any],
        *,
        id: str,
        key: str,
        project_id: str,
        traceparent: str | None = None,
    ) -> Outgoing:
        """An event record for the outside."""
        now = cloudevents.now_text()
        headers = cloudevents.headers(
            id=id, type=type, source=SOURCE, time=now, subject=key, project=project_id, traceparent=traceparent
        )
        headers += self._view.stamp.headers()
        value = Event(type=type, timestamp=now, data=data).encode()
        return Outgoing(events.TOPIC.name, key.encode(), value, headers)

    def publish_aside(self, record: Outgoing) -> None:
        """Publish without anybody waiting; what Kafka does not take is logged and counted, not tried again."""
        task = asyncio.create_task(self._publish_aside(record))
        self._side_work.add(task)
        task.add_done_callback(self._side_work.discard)

    async def drained(self) -> None:
        """Return once nothing is being published aside."""
        while self._side_work:
            await asyncio.gather(*self._side_work)

    async def _publish_aside(self, record: Outgoing) -> None:
        try:
            await self._publisher.publish(record)
        except NotAcknowledged:
            log.warning("event.lost", topic=record.topic, ce_id=dict(record.headers)["ce_id"].decode())


def digest_of(asked: Any) -> str:
    """Stands for what was asked under a caller's key: the same for the same JSON data, in whatever order its fields are."""
    return sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
