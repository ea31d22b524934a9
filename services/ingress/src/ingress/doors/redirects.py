"""GET /v1/r/{signed}: a tracked link. The visitor is sent on, and `redirect.followed` tells so."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from contracts.cloudevents import now_text
from contracts.ids import NOBODY, new_id, split_conversation_key
from contracts.inbound import LinkFollowed
from contracts.links import RedirectLink
from ingress.intake.publishing import Intake
from ingress.intake.rate_limits import Limiter
from ingress.lookup.catalogue import Catalogue
from ingress.wire.http import Answer, Request
from ingress.wire.problems import link_not_found
from servicekit.credentials.links import LinkKeys
from servicekit.kafka.records import Outgoing
from servicekit.observability.telemetry import traced
from servicekit.web.auth import expired


class Redirects:
    """The door behind tracked links.

    The event is published aside: a person who wants to pay is not kept back by Kafka. What Kafka does not take is logged.
    """

    def __init__(self, catalogue: Catalogue, keys: LinkKeys, limiter: Limiter, intake: Intake) -> None:
        self._catalogue, self._keys, self._limiter, self._intake = catalogue, keys, limiter, intake

    async def __call__(self, request: Request) -> Answer:
        project_id, link = self._open(request.rest[0])
        self._limiter.check_address(self._catalogue.limits(project_id), request.client_ip, open_door=True)
        with traced("ingress.redirect", request.header(b"traceparent"), project=project_id) as span:
            self._intake.publish_aside(self._record(project_id, link, span.traceparent))
        return Answer(302, b"", [(b"location", link.url.encode())])

    def _open(self, text: str) -> tuple[str, RedirectLink]:
        genuine = self._keys.open_link(text, "r")
        if genuine is None:
            raise link_not_found()
        try:
            link = RedirectLink.model_validate(genuine.payload)
        except ValidationError:
            raise link_not_found() from None
        if expired(link.expires_at):
            raise link_not_found()
        return genuine.project, link

    def _record(self, project_id: str, link: RedirectLink, traceparent: str) -> Outgoing:
        """For the engine, which knows the contact; of a link that belongs to no conversation, the event itself."""
        if link.conversation and split_conversation_key(link.conversation)[1] != NOBODY:
            followed = self._followed(project_id, link, link.conversation)
            return self._intake.record(followed, key=link.conversation, event_id=new_id(), traceparent=traceparent)
        bot = self._catalogue.view.get("bot", link.bot_id)
        data: dict[str, Any] = {
            "bot": {"id": link.bot_id, "name": bot.name if bot else None},
            "link": {"id": link.link_id, "url": link.url, "node": link.node},
            "node": link.node,
        }
        return self._intake.event(
            "redirect.followed", data, id=new_id(), key=link.bot_id, project_id=project_id, traceparent=traceparent
        )

    def _followed(self, project_id: str, link: RedirectLink, conversation: str) -> LinkFollowed:
        bot_id, channel_id, peer_id = split_conversation_key(conversation)
        channel = self._catalogue.view.get("channel", channel_id)
        return LinkFollowed(
            project_id=project_id,
            bot_id=bot_id,
            channel_id=channel_id,
            peer_id=peer_id,
            channel_type=channel.type if channel else None,
            received_at=now_text(),
            link_id=link.link_id,
            url=link.url,
            node=link.node,
        )
