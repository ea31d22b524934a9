"""/v1/in/{channel}/{random}: what a platform calls. Its secret is proved, its words are normalised, Kafka has them: 200."""

from __future__ import annotations

from hashlib import sha256
from hmac import compare_digest

import structlog

from contracts.cloudevents import now_text
from contracts.inbound import InboundBase
from contracts.registry import Channel
from ingress.channels import NORMALISERS
from ingress.intake.publishing import Intake
from ingress.lookup.catalogue import Catalog
from ingress.lookup.people import Address
from ingress.web.http import JSON, Answer, Request, object_of
from ingress.web.problems import not_allowed
from servicekit.kafka.records import Outgoing, Record, dead_letter
from servicekit.observability.telemetry import traced
from servicekit.web.auth import unauthorised
from servicekit.web.problems import not_found

TELEGRAM_SECRET = b"x-telegram-bot-api-secret-token"
NOTHING = sha256(b"").hexdigest()

log = structlog.get_logger()


class PlatformInbound:
    """The door for platforms. Only the channel's own type decides which words are understood."""

    def __init__(self, catalog: Catalog, intake: Intake) -> None:
        self._catalog, self._intake = catalog, intake

    async def __call__(self, request: Request) -> Answer:
        if len(request.rest) != 2:
            raise not_found("The channel")
        id, random = request.rest
        channel = await self._catalog.caught_up(lambda: self._catalog.channel(id))
        if channel.type not in NORMALISERS or not is_secret(random, channel.inbound_sha256):
            raise not_found("The channel")
        if request.method != "POST":
            raise not_allowed("POST")
        if not is_secret(request.header(TELEGRAM_SECRET) or "", channel.secret_token_sha256):
            raise unauthorised("The secret token of the channel is missing or not its own.")
        body = await request.body()
        with traced("ingress.platform", request.header(b"traceparent")) as span:
            await self._take(channel, body, span.traceparent)
        return Answer(200, b"{}", [JSON])

    async def _take(self, channel: Channel, body: bytes, traceparent: str) -> None:
        update = object_of(body)
        try:
            made = NORMALISERS[channel.type](update, channel, now_text())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            # Refused, the platform would bring it again for a day and hold back what came after it.
            log.warning("channel.unreadable", channel_id=channel.id, error=type(error).__name__)
            await self._intake.publish(unreadable(channel, body, error))
            return
        for event_id, record in made:
            await self._accept(record, event_id, traceparent)

    async def _accept(self, record: InboundBase, event_id: str, traceparent: str) -> None:
        key = Address(record.bot_id, record.channel_id, record.peer_id, record.channel_type).key
        await self._intake.accept(record, key=key, event_id=event_id, traceparent=traceparent, source="channel")


def is_secret(given: str, digest: str | None) -> bool:
    """Whether the text has that SHA-256 (hex); in constant time, and never for a channel that has none."""
    found = sha256(given.encode("latin-1", "replace")).hexdigest()
    return compare_digest(found, digest or NOTHING) and digest is not None


def unreadable(channel: Channel, body: bytes, error: Exception) -> Outgoing:
    """The dead letter of an update that its platform's module could not read."""
    record = Record(f"/v1/in/{channel.id}", 0, 0, 0, channel.id.encode(), body)
    return dead_letter("ingress", record, "wrong-schema", f"{type(error).__name__}: {error}")
