"""POST /v1/run/{trigger}: another service starts a scenario. The hot path: no database, no HTTP call."""

from __future__ import annotations

from collections.abc import Awaitable
from hmac import compare_digest
from typing import Any, NamedTuple

import orjson

from contracts.cloudevents import now_text
from contracts.inbound import ReplyTo
from contracts.people import Person
from contracts.registry import Token, Trigger
from contracts.replies import RunReply
from ingress.intake.publishing import Encoded, Intake, digest_of
from ingress.intake.rate_limits import Limiter, Limits
from ingress.intake.request_log import RequestLog
from ingress.lookup.catalogue import Bound, Catalogue, Remembered
from ingress.lookup.people import Address, address_of, parse_peer, parse_person, peer_address
from ingress.wire.http import JSON, Answer, Request, json_answer
from ingress.wire.preferences import ASYNC, CallerWait, wait_of
from ingress.wire.problems import (
    as_body,
    invalid,
    not_of_this_trigger,
    of_reply,
    peer_fixed,
    peer_needed,
)
from servicekit.credentials import tokens
from servicekit.observability.telemetry import traced
from servicekit.web.asking import event_id_of
from servicekit.web.auth import Authoriser, unauthorised
from servicekit.web.problems import ProblemError, not_found

OWN_FIELDS = frozenset({"token", "wait", "peer_id", "person", "variables"})
"""What the body may hold for us; the rest is the caller's and travels as `content`."""


class Order(NamedTuple):
    """A request that may start: for whom, with what, and how long its caller waits."""

    address: Address
    variables: dict[str, Any]
    content: Any
    wait: CallerWait
    event_id: str
    digest: str | None
    """Of what was asked, where the caller chose the event's id by a key."""


class Runs:
    """The door behind a trigger's URL."""

    def __init__(
        self, catalogue: Catalogue, authoriser: Authoriser, limiter: Limiter, intake: Intake, request_log: RequestLog
    ) -> None:
        self._catalogue, self._authoriser, self._limiter = catalogue, authoriser, limiter
        self._intake, self._log = intake, request_log
        self._proved = Remembered[str](catalogue.view)

    async def __call__(self, request: Request) -> Answer:
        id, _, secret = request.rest[0].partition(".")
        catalogue = self._catalogue
        known = catalogue.entrances.get(id)
        trigger, limits = known if known else await catalogue.caught_up(lambda: catalogue.entrance(id))
        # What nobody has proved may neither use the trigger's rate up nor stand in its log.
        body = await self._admit(request, trigger, secret, limits)
        event_id: str | None = None
        try:
            self._limiter.check_trigger(limits, request.client_ip, trigger.id)
            self._limiter.check_own(trigger.project_id, request.hops)
            if body is None:
                body = await request.json_object()
                body.pop("token", None)
            bound = catalogue.bounds.get(trigger.id)
            if bound is None or bound.trigger is not trigger:  # The trigger may have changed while the body came.
                bound = await catalogue.caught_up(lambda: catalogue.bound(trigger))
            event_id = event_id_of(request.head.get(b"idempotency-key"), trigger.project_id, f"/v1/run/{trigger.id}")
            answer = await self._run(request, bound, body, event_id)
        except ProblemError as refusal:
            self._log.note(trigger, request, body, refusal, event_id)
            raise
        self._log.note(trigger, request, body, answer, event_id)
        return answer

    async def _run(self, request: Request, bound: Bound, body: dict[str, Any], event_id: str) -> Answer:
        order = self._order(request, bound, body, event_id)
        with traced("ingress.run", request.header(b"traceparent"), project=bound.trigger.project_id) as span:
            span.set("event", order.event_id)
            return await self._start(request, bound, order, span.traceparent)

    async def _admit(self, request: Request, trigger: Trigger, secret: str, limits: Limits) -> dict[str, Any] | None:
        """Prove the caller. The body, where it was read for that: of callers who cannot set headers.

        Who shows nothing before the body is read is counted by address. Raises ProblemError 401, 403, 404, 429.
        """
        if trigger.state == "needs_token":
            raise unauthorised("This trigger's token was deleted: choose another one for it.")
        header: str | bytes | None = request.head.get(b"authorization")
        by_url = trigger.auth.scheme == "url"
        self._limiter.check_address(limits, request.client_ip, open_door=by_url or header is None)
        if by_url:
            _refuse_wrong_secret(trigger, secret)
            return None
        body = None
        if header is None:
            body = await request.json_object()
            header = in_body if isinstance(in_body := body.pop("token", None), str) else None
            header = None if header is None else "Bearer " + header
        token_id = self._proved.get((trigger.id, trigger.auth.token_id, header))
        if token_id is None:
            token_id = await self._prove(request, trigger, header)
        self._limiter.check_token(limits, request.client_ip, token_id)
        return body

    async def _prove(self, request: Request, trigger: Trigger, header: str | bytes | None) -> str:
        """The id of the token. One that is good at any time and from anywhere is remembered until the registry changes."""
        caller = await self._authoriser.authorise(header, None, request.client_ip)
        if caller.project != trigger.project_id and not caller.is_operator:
            raise not_found("The trigger")
        needed = request.row.scope
        assert needed is not None, "the row of runs names a scope"
        caller.require(needed)
        token: Token | None = self._catalogue.view.get("token", caller.token_id) if caller.token_id else None
        own = trigger.auth.token_id
        if token is None or own is None or own not in (token.id, token.replaced_by):
            raise not_of_this_trigger()
        if token.expires_at is None and not token.allowed_cidrs:
            self._proved.put((trigger.id, own, header), token.id)
        return token.id

    def _order(self, request: Request, bound: Bound, body: dict[str, Any], event_id: str) -> Order:
        trigger = bound.trigger
        variables = body.get("variables")
        if variables is None:
            variables = {}
        elif not isinstance(variables, dict):
            raise invalid("/variables", "variables is an object.")
        address = self._address(bound, who(trigger, body))
        if bound.accepts is not None:
            bound.accepts.check(variables)
        content = {name: value for name, value in body.items() if name not in OWN_FIELDS} or None
        wait = wait_of(request.head.get(b"prefer"), body.get("wait"))
        keyed = b"idempotency-key" in request.head
        digest = digest_of([address.key, variables, content]) if keyed else None
        return Order(address, variables, content, wait, event_id, digest)

    def _address(self, bound: Bound, named: str | Person) -> Address:
        trigger, channel, view = bound.trigger, bound.channel, self._catalogue.view
        if not isinstance(named, str):
            return address_of(view, trigger.bot_id, trigger.project_id, named, trigger.channel_id)
        if channel is not None:
            return Address(trigger.bot_id, channel.id, named, channel.type)
        return peer_address(view, trigger.bot_id, trigger.project_id, named, None)

    async def _start(self, request: Request, bound: Bound, order: Order, traceparent: str) -> Answer:
        wait = order.wait
        if wait.until == "kafka":
            await self._accept(request, bound, order, traceparent, None)
            return outcome(order.event_id, wait, None)
        with self._intake.callers.one_of(bound.trigger.project_id), self._intake.ask(wait.until) as question:
            await self._accept(request, bound, order, traceparent, question.reply_to)
            return outcome(order.event_id, wait, await question.answer(wait.seconds))

    def _accept(
        self, request: Request, bound: Bound, order: Order, traceparent: str, reply_to: ReplyTo | None
    ) -> Awaitable[None]:
        return self._intake.accept(
            start_of(request, bound.trigger, order, reply_to),
            key=order.address.key,
            event_id=order.event_id,
            traceparent=traceparent,
            source="trigger",
        )


def start_of(request: Request, trigger: Trigger, order: Order, reply_to: ReplyTo | None) -> Encoded:
    """The StartFlow record: encoded from what was checked above, because the model's object costs 10 us a request."""
    address, received_at = order.address, now_text()
    start: dict[str, Any] = {
        "project_id": trigger.project_id,
        "bot_id": trigger.bot_id,
        "channel_id": address.channel_id,
        "peer_id": address.peer_id,
        "received_at": received_at,
        "hops": request.hops,
        "kind": "start",
        "source": "trigger",
        "flow_id": trigger.flow_id,
        "entry": trigger.entry,
        "chat": "private" if trigger.group_peer_id is None else "group",
        "variables": order.variables,
    }
    if trigger.told_id is not None:
        start["trigger_id"] = trigger.told_id
    if address.channel_type is not None:
        start["channel_type"] = address.channel_type
    if address.person is not None:
        start["person"] = address.person.model_dump(exclude_none=True)
    if order.content is not None:
        start["content"] = order.content
    if order.digest is not None:
        start["request_digest"] = order.digest
    if reply_to is not None:
        start["reply_to"] = reply_to.model_dump()
    return Encoded("start", trigger.project_id, received_at, orjson.dumps(start))


def _refuse_wrong_secret(trigger: Trigger, secret: str) -> None:
    """Raise ProblemError 401 unless the URL holds the trigger's secret. One from before there was one has none."""
    expected = trigger.auth.url_sha256
    if expected is not None and not compare_digest(tokens.digest(secret), expected):
        raise unauthorised("The secret in this URL is not the trigger's.")


def who(trigger: Trigger, body: dict[str, Any]) -> str | Person:
    """Whom the trigger writes to: a peer of its channel, or a person named otherwise. Raises ProblemError 422."""
    peer, person = body.get("peer_id"), body.get("person")
    if trigger.group_peer_id is not None:
        if person is not None or (peer is not None and str(peer) != trigger.group_peer_id):
            raise peer_fixed()
        return trigger.group_peer_id
    if peer is None and person is None:
        raise peer_needed()
    if peer is not None and person is not None:
        raise invalid("/person", "Give peer_id or person, not both.")
    return parse_peer(peer) if person is None else parse_person(person)


def outcome(event_id: str, wait: CallerWait, reply: RunReply | None) -> Answer:
    """What the caller hears. Raises ProblemError when the engine refused to start."""
    encoded = event_id.encode()
    location = (b"location", b"/v1/events/" + encoded)
    if wait is ASYNC:
        body = b'{"event_id":"%b","status":"accepted"}' % encoded
        return Answer(202, body, [JSON, location])
    if reply is None:
        return json_answer(202, {"event_id": event_id, "status": "accepted"}, [location])
    if reply.status == "rejected":
        raise of_reply(reply.problem)
    if wait.until == "verdict":
        return json_answer(202, {"event_id": event_id, "status": "started"}, [location])
    return json_answer(200, at_rest(event_id, reply), [location])


def at_rest(event_id: str, reply: RunReply) -> dict[str, Any]:
    """`{event_id, status, answer, messages, problem?}` of a run that waits for the person or is over."""
    rest: dict[str, Any] = {
        "event_id": event_id,
        "status": reply.status,
        "answer": reply.answer,
        "messages": [message.model_dump(mode="json", exclude_none=True) for message in reply.messages],
    }
    if reply.problem is not None:
        rest["problem"] = as_body(of_reply(reply.problem))
    return rest
