"""/v1/talk/{bot}/sessions: the Bot API. A program speaks for a person in the bot's own `http` channel.

A session is sealed into its id: the conversation, the token that opened it, the seq from which it may read, and its end. So
another token sees nothing of it, and nobody sees what was said before it was opened. What was closed before its end is noted
(closed_sessions.py). Closing ends what a program may see and say, and nothing of the conversation.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, NamedTuple

from contracts.closed_sessions import SESSION_SECONDS
from contracts.cloudevents import now_text, rfc3339
from contracts.ids import derived_id, new_id
from contracts.inbound import MessageReceived, Reachability, StartFlow
from contracts.people import Profile
from contracts.registry import Bot, Channel, Token
from contracts.replies import RunReply
from ingress.chat.attachments import Attachments, Spot
from ingress.chat.chat_messages import message_of, profile_of, vouched_for
from ingress.chat.closed_sessions import ClosedSessions
from ingress.chat.listening import listen, wish_of
from ingress.doors.runs import at_rest
from ingress.intake.publishing import Intake, digest_of
from ingress.intake.rate_limits import Limiter
from ingress.lookup.catalogue import Catalogue
from ingress.lookup.people import parse_person
from ingress.wire.http import Answer, Request, json_answer, object_of
from ingress.wire.preferences import ASYNC, CallerWait, wait_of
from ingress.wire.problems import invalid, of_reply, refuse_paused
from servicekit.credentials.links import LinkKeys
from servicekit.observability.telemetry import traced
from servicekit.web.asking import event_id_of
from servicekit.web.auth import Authoriser, Caller
from servicekit.web.problems import not_found

OPENING_FIELDS = frozenset({"person", "flow", "entry", "contact", "variables"})


class ChatSession(NamedTuple):
    """What a session's id says. Messages up to `since` were there before it was opened; `ends` in unix seconds."""

    spot: Spot
    token_id: str | None
    since: int
    ends: int


class BotApi:
    """The door of the Bot API."""

    def __init__(
        self,
        catalogue: Catalogue,
        keys: LinkKeys,
        limiter: Limiter,
        intake: Intake,
        attachments: Attachments,
        closed: ClosedSessions,
        authoriser: Authoriser,
    ) -> None:
        self._catalogue, self._keys, self._limiter = catalogue, keys, limiter
        self._intake, self._attachments, self._closed, self._authoriser = intake, attachments, closed, authoriser

    async def listen(self, request: Request) -> Answer | None:
        """What the bot said in a session, waited for or as a stream."""
        session, wish = await self._session_of(request), wish_of(request)
        wish = wish._replace(after=max(wish.after, session.since))

        async def ask_again() -> None:
            authorization = request.head.get(b"authorization")
            caller = await self._authoriser.admit(request.row, authorization, request.client_ip)
            self._session(request.rest[2], self._catalogue.bot(request.rest[0]), caller)

        return await listen(request, self._attachments, session.spot, wish, ask_again)

    async def close(self, request: Request) -> Answer:
        """204 once Kafka has it, also for one that is closed already: from then on its id opens nothing."""
        id, bot = request.rest[2], await self._bot(request)
        session = self._opened(id, bot, request.caller)
        if not self._closed.has(bot.project_id, id):
            await self._closed.close(bot.project_id, id, session.ends)
        return Answer(204)

    async def _session_of(self, request: Request) -> ChatSession:
        return self._session(request.rest[2], await self._bot(request), request.caller)

    async def _bot(self, request: Request) -> Bot:
        """The bot of the path, for a token of its project. Raises ProblemError 404 or 429."""
        caller, bot = request.caller, await self._catalogue.caught_up(lambda: self._catalogue.bot(request.rest[0]))
        if bot.project_id != caller.project and not caller.is_operator:
            raise not_found("The bot")
        limits = self._catalogue.limits(bot.project_id)
        self._limiter.check_address(limits, request.client_ip, open_door=False)
        self._limiter.check_token(limits, request.client_ip, caller.token_id or "operator")
        self._limiter.check_own(bot.project_id, request.hops)
        return bot

    async def open(self, request: Request) -> Answer:
        """A new session, with a flow started where the caller named one."""
        bot, raw = await self._bot(request), await request.body()
        body = object_of(raw) if raw else {}
        if unknown := next((name for name in body if name not in OPENING_FIELDS), None):
            raise invalid(f"/{unknown}", f"{unknown} is not a field of a session.")
        profile = profile_of(body.get("contact"))
        channel = await self._catalogue.caught_up(lambda: self._catalogue.http_channel(bot))
        refuse_paused(channel)
        peer = self._peer(body.get("person"), channel)
        spot = Spot(bot.project_id, bot.id, channel.id, peer or new_id(), channel.type)
        since = await self._attachments.last_seq(spot) if peer else 0
        session = ChatSession(spot, request.caller.token_id, since, int(time.time()) + SESSION_SECONDS)
        ends = rfc3339(datetime.fromtimestamp(session.ends, UTC))
        answer = {"session_id": self._id(session), "bot_id": bot.id, "channel_id": channel.id, "peer_id": spot.peer_id}
        started = await self._begin(request, bot, spot, profile, body)
        return json_answer(201, {**answer, "last_seq": session.since, "expires_at": ends, **started})

    @staticmethod
    def _peer(person: Any, channel: Channel) -> str | None:
        """The peer that the caller chose; None: a new one.

        Raises ProblemError 422 for any other way to name a person, and for a person of another channel.
        """
        if person is None:
            return None
        named = parse_person(person)
        if named.peer_id is None:
            raise invalid("/person", "In the http channel a person is named by peer_id, a text of your choice.")
        if named.channel_id not in (None, channel.id):
            raise invalid("/person/channel_id", "A session is in the bot's http channel; leave channel_id out.")
        return named.peer_id

    async def _begin(
        self, request: Request, bot: Bot, spot: Spot, profile: Profile, body: dict[str, Any]
    ) -> dict[str, Any]:
        """Make the person known, and start a flow where the caller named one."""
        event_id = event_id_of(request.head.get(b"idempotency-key"), bot.project_id, request.path)
        flow = body.get("flow")
        _refuse_wrong_types(body)
        start = await self._start_of(request, bot, spot, body) if flow is not None else None
        with traced("ingress.talk", request.header(b"traceparent"), project=bot.project_id) as span:
            known = Reachability(
                **spot._asdict(),
                received_at=now_text(),
                state="subscribed",
                profile=profile,
                verified=vouched_for(request.caller),
            )
            await self._intake.accept(
                known,
                key=spot.key,
                event_id=derived_id("subscribed", event_id),
                traceparent=span.traceparent,
                source="chat",
            )
            if start is None:
                return {}
            return await self._run(start, event_id, span.traceparent, wait_of(request.head.get(b"prefer")))

    async def _start_of(self, request: Request, bot: Bot, spot: Spot, body: dict[str, Any]) -> StartFlow:
        name, entry, variables = body["flow"], body.get("entry"), body.get("variables") or {}
        flow, accepts = await self._catalogue.caught_up(lambda: self._catalogue.flow_entry(bot, name, entry))
        if accepts is not None:
            accepts.check(variables)
        return StartFlow(
            **spot._asdict(),
            received_at=now_text(),
            hops=request.hops,
            source="command",
            flow_id=flow.id,
            entry=entry,
            variables=variables,
            request_digest=digest_of(body) if b"idempotency-key" in request.head else None,
            token_id=request.caller.token_id,
        )

    async def _run(self, start: StartFlow, event_id: str, traceparent: str, wait: CallerWait) -> dict[str, Any]:
        key = f"{start.bot_id}/{start.channel_id}/{start.peer_id}"
        reply = await self._accepted(start, key, event_id, traceparent, wait)
        if reply is None:
            return {"event_id": event_id, "status": "accepted"}
        return {"event_id": event_id, "status": "started"} if wait.until == "verdict" else at_rest(event_id, reply)

    async def _accepted(
        self, record: StartFlow | MessageReceived, key: str, event_id: str, traceparent: str, wait: CallerWait
    ) -> RunReply | None:
        """The engine's word, None when the caller does not wait or none came in time. Raises ProblemError if refused."""
        if wait.until == "kafka":
            await self._intake.accept(record, key=key, event_id=event_id, traceparent=traceparent, source="chat")
            return None
        with self._intake.callers.one_of(record.project_id), self._intake.ask(wait.until) as question:
            asking = record.model_copy(update={"reply_to": question.reply_to})
            await self._intake.accept(asking, key=key, event_id=event_id, traceparent=traceparent, source="chat")
            reply = await question.answer(wait.seconds)
        if reply is not None and reply.status == "rejected":
            raise of_reply(reply.problem)
        return reply

    async def say(self, request: Request) -> Answer:
        """202 {message_id, event_id}; with `Prefer: wait=N` 200 with what the bot answered."""
        session = await self._session_of(request)
        refuse_paused(self._catalogue.channel(session.spot.channel_id))
        body = await request.json_object()
        profile = profile_of(body.pop("contact", None))
        wait = wait_of(request.head.get(b"prefer"), body.pop("wait", None))
        if wait.until == "verdict":
            wait = ASYNC  # A message needs no permission; who wants the answer says how long it may take.
        record = message_of(body, session.spot, profile, request.hops, vouched_for(request.caller))
        record = record.model_copy(update={"token_id": request.caller.token_id})
        event_id = record.message_id
        with traced("ingress.talk", request.header(b"traceparent"), project=session.spot.project_id) as span:
            reply = await self._accepted(record, session.spot.key, event_id, span.traceparent, wait)
        location = [(b"location", b"/v1/events/" + event_id.encode())]
        if reply is None:
            return json_answer(202, {"message_id": event_id, "event_id": event_id, "status": "accepted"}, location)
        return json_answer(200, {"message_id": event_id, **at_rest(event_id, reply)}, location)

    def _id(self, session: ChatSession) -> str:
        payload = {
            "door": "talk",
            "bot": session.spot.bot_id,
            "channel": session.spot.channel_id,
            "peer": session.spot.peer_id,
            "token": session.token_id,
            "since": session.since,
            "ends": session.ends,
            "one": new_id(),  # Two sessions that say the same are two: one of them may be closed.
        }
        return self._keys.sign_link("s", session.spot.project_id, payload)

    def _session(self, id: str, bot: Bot, caller: Caller) -> ChatSession:
        """The session of that id, if this token opened it and nobody closed it. Raises ProblemError 404 or 503."""
        session = self._opened(id, bot, caller)
        if self._closed.has(bot.project_id, id):
            raise not_found("The session")
        return session

    def _opened(self, id: str, bot: Bot, caller: Caller) -> ChatSession:
        """The session of that id, closed or not, if this token opened it and its end has not come. Raises ProblemError 404."""
        opened = self._keys.open_link(id, "s")
        if opened is None or opened.payload.get("door") != "talk" or opened.payload["bot"] != bot.id:
            raise not_found("The session")
        said = opened.payload
        ends: int = said.get("ends", 0)
        if not self._same_token(said["token"], caller) or ends <= time.time():
            raise not_found("The session")
        spot = Spot(bot.project_id, bot.id, said["channel"], said["peer"], self._catalogue.types_at["talk"])
        return ChatSession(spot, said["token"], said["since"], ends)

    def _same_token(self, opener: str | None, caller: Caller) -> bool:
        """The token that opened it, or the one it was rotated to."""
        if opener == caller.token_id:
            return True
        old: Token | None = self._catalogue.view.get("token", opener) if opener else None
        return old is not None and old.replaced_by is not None and old.replaced_by == caller.token_id


def _refuse_wrong_types(body: dict[str, Any]) -> None:
    """Raise ProblemError 422 for what names a flow, or what it starts with, in another type than that of the field."""
    for name in ("flow", "entry"):
        if not isinstance(body.get(name), (str, type(None))):
            raise invalid(f"/{name}", "flow is a flow's id or slug, entry the id of one of its webhook triggers.")
    if not isinstance(body.get("variables"), (dict, type(None))):
        raise invalid("/variables", "variables is an object.")
