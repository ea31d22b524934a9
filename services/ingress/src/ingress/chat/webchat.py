"""/v1/web/{channel}/sessions: web chat for the visitors of somebody's page.

A session is its conversation: its id is the peer, its token (sealed, with an end) is all that opens it again. A
`visitor_id` alone opens a new conversation, because whoever typed it may be anybody. Who a visitor is can be said by the
site's own server: it opens the session with an API token that may write data, and gives the page the session's token.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from contracts.ids import new_id
from contracts.people import IDENTIFIERS
from contracts.registry import Channel
from ingress.chat.attachments import Attachments, Spot
from ingress.chat.chat_messages import message_of, profile_of
from ingress.chat.listening import NO_STORE, listen, message_json, wish_of
from ingress.intake.publishing import Intake
from ingress.intake.rate_limits import Limiter
from ingress.lookup.catalogue import Catalogue
from ingress.wire.http import Answer, Headers, Request, json_answer, object_of
from ingress.wire.problems import invalid, origin_refused, refuse_paused
from servicekit.credentials.links import LinkKeys
from servicekit.credentials.tokens import has_shape
from servicekit.observability.telemetry import traced
from servicekit.web.auth import Authoriser, bearer, unauthorised
from servicekit.web.problems import not_found

SESSION_SECONDS = 30 * 86_400
VOUCHED_LIMIT = 1_000
PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"authorization, content-type, last-event-id, traceparent"),
    (b"access-control-max-age", b"7200"),
]
OPENING_FIELDS = frozenset({"visitor_id", "locale", "page_url", "contact"})


class ChatSession(NamedTuple):
    """What a session's token says; `ends` in unix seconds. `contact` are profile fields that the site vouches for."""

    spot: Spot
    language: str | None
    ends: int
    contact: dict[str, str]


class WebChat:
    """The door of web chat."""

    def __init__(
        self,
        catalogue: Catalogue,
        keys: LinkKeys,
        limiter: Limiter,
        intake: Intake,
        attachments: Attachments,
        authoriser: Authoriser,
        public_url: str,
    ) -> None:
        self._catalogue, self._keys, self._limiter = catalogue, keys, limiter
        self._intake, self._attachments, self._authoriser = intake, attachments, authoriser
        self._own_origin = public_url

    async def admit(self, request: Request) -> Answer | None:
        """Before any answer: may the page call, and how often. Answers the browser's preflight itself."""
        channel = await self._channel(request.rest[0])
        # On refusals too: without these headers a page cannot read why it was refused.
        request.always += self._cors(channel, request.header(b"origin"))
        if request.method == "OPTIONS":
            return Answer(204, b"", PREFLIGHT)
        self._limiter.check_address(self._catalogue.limits(channel.project_id), request.client_ip, open_door=True)
        self._limiter.check_own(channel.project_id, request.hops)
        if request.method == "POST":
            refuse_paused(channel)
        return None

    async def listen(self, request: Request) -> Answer | None:
        """What the bot said, waited for or as a stream."""
        session = self._session_of(request)

        async def ask_again() -> None:
            self._session_of(request)

        return await listen(request, self._attachments, session.spot, wish_of(request), ask_again)

    async def _channel(self, id: str) -> Channel:
        channel = await self._catalogue.caught_up(lambda: self._catalogue.channel(id))
        if channel.type != self._catalogue.types_at["web"]:
            raise not_found("The channel")
        return channel

    def _cors(self, channel: Channel, origin: str | None) -> Headers:
        """The headers that let an allowed page read the answer. Raises ProblemError 403 for other pages.

        No Origin: not a page of another site, and the session token still decides.
        """
        if origin is None:
            return []
        if origin not in (*channel.allowed_origins, self._own_origin):
            raise origin_refused(origin)
        return [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"Origin")]

    async def open(self, request: Request) -> Answer:
        """A new session, or the one whose token came along, with a token that lasts anew."""
        channel, raw = self._catalogue.channel(request.rest[0]), await request.body()
        body = object_of(raw) if raw else {}
        if unknown := next((name for name in body if name not in OPENING_FIELDS), None):
            raise invalid(f"/{unknown}", f"{unknown} is not a field of a session.")
        messages: list[dict[str, Any]] = []
        site = is_api_token(request.head.get(b"authorization"))
        if request.head.get(b"authorization") and not site:
            old = self._session(request, channel)
            session = old._replace(ends=_end())
            messages = [message_json(one) for one in await self._attachments.after(old.spot, 0, 0)]
        else:
            spot = Spot(channel.project_id, channel.bot_id, channel.id, new_id(), channel.type)
            contact = await self._vouched_for(request, channel, body.get("contact")) if site else {}
            session = ChatSession(spot, _language(body), _end(), contact)
        answer = {
            "session_id": session.spot.peer_id,
            "token": self._token(session),
            "expires_in": SESSION_SECONDS,
            "last_seq": messages[-1]["seq"] if messages else 0,
            "messages": messages,
        }
        return json_answer(201, answer, [NO_STORE])

    async def _vouched_for(self, request: Request, channel: Channel, contact: Any) -> dict[str, str]:
        """What the site's server says of its visitor. Raises ProblemError 401, 403, 404 or 422."""
        authorization = request.head.get(b"authorization")
        caller = await self._authoriser.authorise(authorization, "data:write", request.client_ip)
        if caller.project != channel.project_id:
            raise not_found("The channel")
        told: dict[str, str] = profile_of(contact).model_dump(exclude_none=True)
        if sum(map(len, told.values())) > VOUCHED_LIMIT:
            raise invalid(
                "/contact", f"contact has at most {VOUCHED_LIMIT} characters: they travel in the session's token."
            )
        return told

    async def say(self, request: Request) -> Answer:
        """202 {message_id}."""
        session, body = self._session_of(request), await request.json_object()
        profile = profile_of(body.pop("contact", None))
        if session.language and profile.language is None:
            profile = profile.model_copy(update={"language": session.language})
        known = tuple(name for name in IDENTIFIERS if name in session.contact)
        record = message_of(body, session.spot, profile.model_copy(update=session.contact), request.hops, known)
        with traced("ingress.webchat", request.header(b"traceparent"), project=session.spot.project_id) as span:
            await self._intake.accept(
                record,
                key=session.spot.key,
                event_id=record.message_id,
                traceparent=span.traceparent,
                source="chat",
            )
        return json_answer(202, {"message_id": record.message_id})

    def _token(self, session: ChatSession) -> str:
        payload = {
            "door": "web",
            "bot": session.spot.bot_id,
            "channel": session.spot.channel_id,
            "peer": session.spot.peer_id,
            "language": session.language,
            "ends": session.ends,
            "contact": session.contact,
        }
        return self._keys.sign_link("s", session.spot.project_id, payload)

    def _session_of(self, request: Request) -> ChatSession:
        """The session of the path. Raises ProblemError 401, and 404 when the token is another session's."""
        session = self._session(request, self._catalogue.channel(request.rest[0]))
        if session.spot.peer_id != request.rest[2]:
            raise not_found("The session")
        return session

    def _session(self, request: Request, channel: Channel) -> ChatSession:
        """The session whose token the request bears. Raises ProblemError 401."""
        opened = self._keys.open_link(bearer(request.head.get(b"authorization")), "s")
        if opened is None or opened.payload.get("door") != "web" or opened.payload["channel"] != channel.id:
            raise unauthorised("The session token is not valid.")
        said = opened.payload
        if said["ends"] < time.time() or opened.project != channel.project_id:
            raise unauthorised("The session is over: open a new one.")
        spot = Spot(channel.project_id, said["bot"], channel.id, said["peer"], channel.type)
        return ChatSession(spot, said["language"], said["ends"], said.get("contact", {}))


def _end() -> int:
    return int(time.time()) + SESSION_SECONDS


def is_api_token(authorization: bytes | None) -> bool:
    """Whether the header bears a token of the API, and not one of a session."""
    return authorization is not None and has_shape(authorization.decode("latin-1").rpartition(" ")[2])


def _language(body: dict[str, Any]) -> str | None:
    locale = body.get("locale")
    if locale is None:
        return None
    if not isinstance(locale, str) or not 0 < len(locale) <= 35:
        raise invalid("/locale", "locale is a language tag, such as en-GB.")
    return locale
