"""GET /v1/r/{signed}: a tracked link. The visitor is sent on, and `redirect.followed` tells so."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from contracts.ids import new_id, split_conversation_key
from contracts.links import RedirectLink
from ingress.intake.publishing import Intake
from ingress.intake.rate_limits import Limiter
from ingress.lookup.catalogue import Catalogue
from ingress.wire.http import Answer, Request
from ingress.wire.problems import link_not_found
from servicekit.credentials.links import LinkKeys
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
        with traced("ingress.redirect", request.header(b"traceparent")) as span:
            record = self._intake.event(
                "redirect.followed",
                self._data(link),
                id=new_id(),
                key=link.conversation or link.bot_id,
                project_id=project_id,
                traceparent=span.traceparent,
            )
            self._intake.publish_aside(record)
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

    def _data(self, link: RedirectLink) -> dict[str, Any]:
        view, bot = self._catalogue.view, self._catalogue.view.get("bot", link.bot_id)
        data: dict[str, Any] = {
            "bot": {"id": link.bot_id, "name": bot.name if bot else None},
            "link": {"id": link.link_id, "url": link.url, "node": link.node},
            "node": link.node,
        }
        if link.conversation:
            channel_id = split_conversation_key(link.conversation)[1]
            channel = view.get("channel", channel_id)
            data["channel"] = {"id": channel_id, "type": channel.type if channel else None}
            data["conversation_id"] = link.conversation
        if link.contact_id is not None:
            data["contact"] = {"id": link.contact_id}
        return data
