"""/v1/in/{channel}/{random}: what a platform calls. It is proved, its words become events, Kafka has them: its reply."""

from __future__ import annotations

from urllib.parse import parse_qsl

import structlog

from channels.port import Connector, Platform
from channels.proof import has_digest
from channels.receiving import Event, InboundCall, NotProven, Taken
from contracts.cloudevents import now_text
from contracts.registry import Channel
from ingress.intake.publishing import Intake
from ingress.intake.rate_limits import Limiter
from ingress.lookup.accounts import Accounts
from ingress.lookup.catalogue import Catalogue
from ingress.lookup.people import Address
from ingress.wire.http import Answer, Request, object_of
from ingress.wire.problems import not_allowed
from servicekit.kafka.records import Outgoing, Record, dead_letter
from servicekit.observability.telemetry import traced
from servicekit.web.auth import unauthorised
from servicekit.web.problems import not_found

log = structlog.get_logger()


class PlatformInbound:
    """The door for platforms. Only the channel's own type decides which words are understood."""

    def __init__(self, catalogue: Catalogue, accounts: Accounts, limiter: Limiter, intake: Intake) -> None:
        self._catalogue, self._accounts, self._limiter, self._intake = catalogue, accounts, limiter, intake

    async def __call__(self, request: Request) -> Answer:
        id, random = request.rest
        channel = await self._catalogue.caught_up(lambda: self._catalogue.channel(id))
        connector = self._catalogue.connectors.get(channel.type)
        platform = connector.platform if connector else None
        if connector is None or platform is None or not has_digest(random, channel.inbound_sha256):
            raise not_found("The channel")
        if request.method not in connector.descriptor.methods:
            raise not_allowed(*connector.descriptor.methods)
        self._limiter.check_own(channel.project_id, request.hops)
        taken, body = await self._taken(request, channel, connector, platform)
        with traced("ingress.platform", request.header(b"traceparent"), project=channel.project_id) as span:
            for event in taken.events:
                await self._accept(event, request.hops, span.traceparent)
            if taken.unread is not None:
                log.warning("channel.unreadable", channel_id=channel.id, error=taken.unread.partition(":")[0])
                await self._intake.publish(unreadable(channel, body, taken.unread))
        return Answer(taken.reply.status, taken.reply.body, [(b"content-type", taken.reply.media_type.encode())])

    async def _taken(
        self, request: Request, channel: Channel, connector: Connector, platform: Platform
    ) -> tuple[Taken, bytes]:
        """What the platform's module makes of the call, and its body. Raises ProblemError 401 when it is not proved."""
        account = self._accounts.of(channel, opened=connector.descriptor.opens_secrets)
        body = await request.body()
        query = dict(parse_qsl(request.query_text, keep_blank_values=True)) if request.query_text else {}
        taken = platform.receive(account, InboundCall(request.method, query, request.head, body, now_text(), object_of))
        if isinstance(taken, NotProven):
            raise unauthorised(taken.detail)
        return taken, body

    async def _accept(self, event: Event, hops: int, traceparent: str) -> None:
        """`hops`: none when a platform calls; a webhook of ours that is sent here has them, whoever it says it is."""
        record = event.record.model_copy(update={"hops": hops}) if hops else event.record
        key = Address(record.bot_id, record.channel_id, record.peer_id, record.channel_type).key
        await self._intake.accept(record, key=key, event_id=event.id, traceparent=traceparent, source="channel")


def unreadable(channel: Channel, body: bytes, why: str) -> Outgoing:
    """The dead letter of a call that its platform's module could not read whole."""
    record = Record(f"/v1/in/{channel.id}", 0, 0, 0, channel.id.encode(), body)
    return dead_letter("ingress", record, "wrong-schema", why)
