"""GET|POST /v1/w/{signed}: a generated URL runs a command and answers with its last message."""

from __future__ import annotations

import html
from typing import NamedTuple

from contracts.cloudevents import now_text
from contracts.ids import NOBODY
from contracts.inbound import ReplyTo, UrlOpened
from contracts.links import HookLink
from contracts.people import shortly_named
from contracts.replies import RunReply
from ingress.doors.url_content import Content, content_of, options_of
from ingress.intake.publishing import Intake, digest_of
from ingress.intake.rate_limits import Limiter
from ingress.lookup.catalogue import Catalogue
from ingress.lookup.people import Address, address_of
from ingress.wire.http import Answer, Headers, Request, json_answer
from ingress.wire.problems import link_not_found, of_reply, too_many_hops
from servicekit.credentials.links import LinkKeys
from servicekit.observability.telemetry import traced
from servicekit.web.asking import event_id_of
from servicekit.web.auth import expired
from servicekit.web.problems import ProblemError

WAIT_SECONDS = 25.0
PRIVATE: Headers = [(b"referrer-policy", b"no-referrer"), (b"cache-control", b"no-store")]
"""On every answer: the URL is a secret, and what it did is nobody else's."""
PAGE = """<!doctype html><html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>{bot}</title></head>
<body><form method="post"><p>{bot}</p><button type="submit">Continue</button></form></body></html>
"""
PAGE_HEADERS: Headers = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-security-policy", b"default-src 'none'; form-action 'self'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
]


class Opened(NamedTuple):
    """A genuine link that is not over."""

    link: HookLink
    project_id: str
    bot_name: str


class HookUrls:
    """The door behind generated URLs, for GET and POST: link previews and mail scanners send HEAD, which must run nothing.

    Single use and revocation are decided by the engine, in the conversation's order."""

    def __init__(self, catalogue: Catalogue, keys: LinkKeys, limiter: Limiter, intake: Intake, public_url: str) -> None:
        self._catalogue, self._keys, self._limiter, self._intake = catalogue, keys, limiter, intake
        self._public_url = public_url

    async def __call__(self, request: Request) -> Answer:
        opened = await self._open(request.rest[0])
        limits = self._catalogue.limits(opened.project_id)
        self._limiter.check_address(limits, request.client_ip, open_door=True)
        self._limiter.check_trigger(limits, request.client_ip, opened.link.link_id)
        self._limiter.check_own(opened.project_id, request.hops)
        if opened.link.confirm and request.method == "GET":
            return Answer(200, PAGE.format(bot=html.escape(opened.bot_name)).encode(), PAGE_HEADERS)
        with traced("ingress.hook_url", request.header(b"traceparent"), project=opened.project_id) as span:
            reply = await self._run(request, opened, span.traceparent)
        return outcome(request.method, opened.link, reply)

    async def _open(self, text: str) -> Opened:
        genuine = self._keys.open_link(text, "w")
        if genuine is None:
            raise link_not_found()
        try:
            link = HookLink.model_validate(genuine.payload)
            if link.person is not None:
                shortly_named(link.person)
        except ValueError:
            raise link_not_found() from None
        if expired(link.expires_at):
            raise link_not_found()
        bot = await self._catalogue.caught_up(lambda: self._catalogue.bot(link.bot_id))
        if bot.project_id != genuine.project:
            raise link_not_found()
        return Opened(link, genuine.project, bot.name)

    async def _run(self, request: Request, opened: Opened, traceparent: str) -> RunReply | None:
        link, project_id = opened.link, opened.project_id
        content = content_of(await request.body(), request.header(b"content-type"), request.query_text, link.content)
        address = self._address(opened)
        with self._intake.callers.one_of(project_id), self._intake.ask("rest") as question:
            record = self._record(request, opened, address, content, question.reply_to)
            key = f"{link.bot_id}/{NOBODY}/{link.link_id}" if link.person is None else address.key
            idempotency_key = request.head.get(b"idempotency-key")
            event_id = event_id_of(idempotency_key, project_id, request.path)
            if idempotency_key is not None:
                digest = digest_of([request.method, content.raw])
                record = record.model_copy(update={"request_digest": digest})
            await self._intake.accept(record, key=key, event_id=event_id, traceparent=traceparent, source="url")
            return await question.answer(WAIT_SECONDS)

    def _record(
        self, request: Request, opened: Opened, address: Address, content: Content, reply_to: ReplyTo
    ) -> UrlOpened:
        link = opened.link
        query = f"?{request.query_text}" if request.query_text else ""
        return UrlOpened(
            project_id=opened.project_id,
            bot_id=link.bot_id,
            channel_id=address.channel_id,
            peer_id=address.peer_id,
            channel_type=address.channel_type,
            received_at=now_text(),
            reply_to=reply_to,
            hops=request.hops,
            link_id=link.link_id,
            command=link.command,
            content=content.value,
            content_raw=content.raw,
            options=options_of(
                url=self._public_url + request.path + query,
                method=request.method,
                query_text=request.query_text,
                head=request.head,
                ip=request.client_ip,
                proof_headers=self._catalogue.proof_headers,
            ),
            person=address.person,
            registered=link.registered,
            single_use=link.single_use,
        )

    def _address(self, opened: Opened) -> Address:
        link = opened.link
        if link.person is None:
            return Address(link.bot_id, NOBODY, link.link_id, None)
        return address_of(self._catalogue.view, link.bot_id, opened.project_id, link.person, None)


def outcome(method: str, link: HookLink, reply: RunReply | None) -> Answer:
    """What the opener gets. Raises ProblemError; an error is never a redirect."""
    if reply is None:
        return json_answer(202, {"status": "accepted"})
    if reply.status == "failed" and reply.problem is not None and reply.problem.reason == "too-many-hops":
        raise too_many_hops(reply.problem.detail)
    if reply.status == "failed":
        detail = reply.problem.detail if reply.problem is not None else None
        raise ProblemError("command-failed", 503, "The command failed", detail)
    if reply.status == "rejected":
        raise of_reply(reply.problem)
    if link.redirect_to is not None:
        return Answer(302 if method == "GET" else 303, b"", [(b"location", link.redirect_to.encode())])
    return json_answer(200, {"answer": reply.answer})


async def keep_private(request: Request) -> None:
    """Before any answer to a signed URL, refusals too: the headers that keep it to those who have it."""
    request.always += PRIVATE
