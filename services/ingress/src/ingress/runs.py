"""POST /v1/run/{trigger}: another service starts a scenario (S5, S6). The hot path: no database, no HTTP call."""

from __future__ import annotations

from typing import Any, NamedTuple

from contracts.cloudevents import now_text
from contracts.inbound import ReplyTo, StartFlow
from contracts.people import Person
from contracts.registry import Token, Trigger
from contracts.replies import RunReply
from ingress.catalog import Bound, Catalog
from ingress.http import JSON, Answer, Request, json_answer
from ingress.intake import Intake, event_id_of
from ingress.people import Address, address_of, parse_peer, parse_person, peer_address
from ingress.preferences import ASYNC, Wait, wait_of
from ingress.problems import (
    as_body,
    invalid,
    not_allowed,
    not_of_this_trigger,
    of_reply,
    peer_fixed,
    peer_needed,
)
from ingress.rate_limits import Limiter
from ingress.request_log import RequestLog
from servicekit.auth import Authoriser, unauthorised
from servicekit.problems import ProblemError, not_found
from servicekit.telemetry import traced

OWN_FIELDS = frozenset({"token", "wait", "peer_id", "person", "variables"})
"""What the body may hold for us; the rest is the caller's and travels as `content`."""


class Order(NamedTuple):
    """A request that may start: for whom, with what, and how long its caller waits."""

    address: Address
    variables: dict[str, Any]
    content: Any
    wait: Wait
    event_id: str


class Runs:
    """The door behind a trigger's URL."""

    def __init__(
        self, catalog: Catalog, authoriser: Authoriser, limiter: Limiter, intake: Intake, request_log: RequestLog
    ) -> None:
        self._catalog, self._authoriser, self._limiter = catalog, authoriser, limiter
        self._intake, self._log = intake, request_log

    async def __call__(self, request: Request) -> Answer:
        if len(request.rest) != 1:
            raise not_found("The page")
        if request.method != "POST":
            raise not_allowed("POST")
        id = request.rest[0]
        trigger = self._catalog.view.get("trigger", id) or await self._catalog.caught_up(
            lambda: self._catalog.trigger(id)
        )
        body: dict[str, Any] | None = None
        try:
            self._check_rates(trigger, request)
            body = await request.json_object()
            token = body.pop("token", None)
            answer = await self._run(request, trigger, body, token)
        except ProblemError as refusal:
            self._log.note(trigger, request, body, refusal)
            raise
        self._log.note(trigger, request, body, answer)
        return answer

    def _check_rates(self, trigger: Trigger, request: Request) -> None:
        limits = self._catalog.limits(trigger.project_id)
        ip = request.client_ip
        self._limiter.check_address(limits, ip, open_door=trigger.auth.scheme == "url")
        self._limiter.check_trigger(limits, ip, trigger.id)

    async def _run(self, request: Request, trigger: Trigger, body: dict[str, Any], token: Any) -> Answer:
        await self._authorise(request, trigger, token)
        try:
            bound = self._catalog.bound(trigger)
        except ProblemError:
            bound = await self._catalog.caught_up(lambda: self._catalog.bound(trigger))
        order = self._order(request, bound, body)
        with traced("ingress.run", request.header(b"traceparent")) as span:
            span.set("event_id", order.event_id)
            return await self._start(request, bound, order, span.traceparent)

    async def _authorise(self, request: Request, trigger: Trigger, token: Any) -> None:
        """The trigger's own token, from the header or else the body, or no token where the URL is the secret."""
        if trigger.state == "needs_token":
            raise unauthorised("This trigger's token was deleted: choose another one for it.")
        if trigger.auth.scheme == "url":
            return
        header: str | bytes | None = request.head.get(b"authorization")
        if header is None and isinstance(token, str):
            header = "Bearer " + token
        caller = await self._authoriser.authorise(header, None, request.client_ip)
        if caller.project != trigger.project_id and not caller.is_operator:
            raise not_found("The trigger")
        caller.require("flows:execute")
        if caller.token_id is None or not self._is_own(trigger, caller.token_id):
            raise not_of_this_trigger()
        self._limiter.check_token(self._catalog.limits(trigger.project_id), request.client_ip, caller.token_id)

    def _is_own(self, trigger: Trigger, token_id: str) -> bool:
        """The trigger's token, or one that was rotated into it and has not expired yet."""
        own = trigger.auth.token_id
        if own is None or token_id == own:
            return own is not None
        token: Token | None = self._catalog.view.get("token", token_id)
        return token is not None and token.replaced_by == own

    def _order(self, request: Request, bound: Bound, body: dict[str, Any]) -> Order:
        trigger = bound.trigger
        variables = body.get("variables")
        if variables is None:
            variables = {}
        elif not isinstance(variables, dict):
            raise invalid("/variables", "variables is an object.")
        named, view = who(trigger, body), self._catalog.view
        if isinstance(named, str):
            address = peer_address(view, trigger.bot_id, trigger.project_id, named, trigger.channel_id)
        else:
            address = address_of(view, trigger.bot_id, trigger.project_id, named, trigger.channel_id)
        if bound.accepts is not None:
            bound.accepts.check(variables)
        content = {name: value for name, value in body.items() if name not in OWN_FIELDS} or None
        wait = wait_of(request.head.get(b"prefer"), body.get("wait"))
        event_id = event_id_of(request.head.get(b"idempotency-key"), trigger.project_id, request.path)
        return Order(address, variables, content, wait, event_id)

    async def _start(self, request: Request, bound: Bound, order: Order, traceparent: str) -> Answer:
        wait = order.wait
        if wait.until == "kafka":
            await self._accept(request, bound, order, traceparent, None)
            return outcome(order.event_id, wait, None)
        with self._intake.ask(wait.until) as question:
            await self._accept(request, bound, order, traceparent, question.reply_to)
            return outcome(order.event_id, wait, await question.answer(wait.seconds))

    async def _accept(
        self, request: Request, bound: Bound, order: Order, traceparent: str, reply_to: ReplyTo | None
    ) -> None:
        trigger, address = bound.trigger, order.address
        record = StartFlow(
            project_id=trigger.project_id,
            bot_id=trigger.bot_id,
            channel_id=address.channel_id,
            peer_id=address.peer_id,
            channel_type=address.channel_type,
            received_at=now_text(),
            reply_to=reply_to,
            hops=hops_of(request),
            source="trigger",
            trigger_id=trigger.id,
            flow_id=trigger.flow_id,
            entry=trigger.entry,
            person=address.person,
            chat="private" if trigger.group_peer_id is None else "group",
            variables=order.variables,
            content=order.content,
        )
        await self._intake.accept(
            record, key=address.key, event_id=order.event_id, traceparent=traceparent, source="trigger"
        )


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


def hops_of(request: Request) -> int:
    """How many of our own requests led to this one (hardening 22)."""
    given = request.head.get(b"switchhook-hops")
    return min(int(given), 1_000) if given is not None and given.isdigit() and len(given) < 5 else 0


def outcome(event_id: str, wait: Wait, reply: RunReply | None) -> Answer:
    """What the caller hears. Raises ProblemError when the engine refused to start."""
    location = (b"location", b"/v1/events/" + event_id.encode())
    if wait is ASYNC:
        body = b'{"event_id":"%b","status":"accepted"}' % event_id.encode()
        return Answer(202, body, [JSON, location, (b"preference-applied", b"respond-async")])
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
