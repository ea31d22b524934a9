"""ToyChat behind the port."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from channels.limits import too_much
from channels.port import Account, Platform
from channels.proof import is_signed, same_text
from channels.reading import Reading
from channels.receiving import UNREADABLE, Event, InboundCall, NotProven, Reply, Taken
from channels.sending import HIDDEN, Plan, Refusal, Request, Step, single
from channels.uploads import File, multipart
from contracts.actions import SendMessage
from contracts.ids import PEER_ID, derived_id
from contracts.inbound import InboundBase, MessageReceived, Reachability

from .facts import DESCRIPTOR, SIGNATURE

METHODS = frozenset({"whoami", "hooks"})
NEEDED = {"whoami": "id", "hooks": "done", "files": "file", "keep": "picture", "say": "message"}
"""What a good answer to each step has."""
OK = Reply(body=b"ok", media_type="text/plain")


class ToyChat(Platform):
    __slots__ = ()

    def receive(self, account: Account, call: InboundCall) -> Taken | NotProven:
        if call.method == "GET":
            if not same_text(call.query.get("hub.verify_token", ""), account.credentials.get("verify_token")):
                return NotProven("The verify token is not this channel's.")
            return Taken(reply=Reply(200, call.query.get("hub.challenge", "").encode(), "text/plain"))
        if not is_signed(call.body, call.header(SIGNATURE), account.credentials.get("app_secret")):
            return NotProven("The signature is not of this body.")
        body = call.object()
        if body.get("type") == "confirmation":
            return Taken(reply=OK._replace(body=account.credentials.get("confirmation", "").encode()))
        return _taken(account, call, body)

    def send(self, account: Account, message: SendMessage, *, first: bool) -> Plan | Refusal:
        """The text is drawn: uploaded, kept, and said."""
        if refusal := too_much(message.content, DESCRIPTOR.limits, DESCRIPTOR.title):
            return refusal
        if not message.content.text.strip():
            return Refusal("text-length", "ToyChat draws no blank pictures.")
        drawn = File("file", f"{message.id}.txt", "text/plain", message.content.text.encode())

        def kept(done: tuple[Reading, ...]) -> Request:
            return _json(account, "keep", {"file": done[0].answer["file"]})

        def said(done: tuple[Reading, ...]) -> Request:
            picture = {"to": message.peer_id, "once": message.id, "picture": done[1].answer["picture"]}
            return _json(account, "say", picture)

        return Plan((
            Step("files", lambda _: _upload(account, drawn), "preparation"),
            Step("keep", kept, "preparation"),
            Step("say", said),
        ))  # fmt: skip

    def call(self, account: Account, method: str, params: Mapping[str, Any]) -> Plan | Refusal:
        if method not in METHODS:
            return Refusal("bad-method", "ToyChat has no such method.")
        secret = {"url": account.credentials["inbound_url"], "verify_token": account.credentials["verify_token"]}
        request = _json(account, method, {**params, **secret} if method == "hooks" else params)
        return single(method, request._replace(shown_body=orjson.dumps(params)))

    def read(self, step: str, status: int, headers: Mapping[str, str], body: bytes) -> Reading:
        answer = _object(body)
        if status == 200 and isinstance(answer.get(NEEDED[step]), str | bool):
            return Reading("sent", answer=answer, provider_message_id=_text(answer.get("message")))
        said = str(answer.get("error") or f"HTTP {status}")
        match status:
            case 401:
                return Reading("credentials", "unauthorized", said, healthy=False)
            case 403:
                return Reading("unreachable", "blocked", said, unreachable="blocked")
            case 400:
                return Reading("refused", "refused", said)
            case 429:
                return Reading("limited", "rate-limited", said, retry_after=_seconds(headers), scope="chat")
        return Reading("failed", "unavailable", said, healthy=False)


def _taken(account: Account, call: InboundCall, body: dict[str, Any]) -> Taken:
    """Of several events each is read by itself: one that cannot be read does not take the others along."""
    events, unread = [], None
    given = body.get("events")
    for each in given if isinstance(given, list) else [None]:
        try:
            id = derived_id("toychat", account.channel.id, str(each["id"]))
            events.append(Event(id, _record(account, call, each)))
        except UNREADABLE as error:
            unread = f"{type(error).__name__}: {error}"
    return Taken(tuple(events), OK, unread)


def _record(account: Account, call: InboundCall, event: dict[str, Any]) -> InboundBase:
    channel, peer = account.channel, event["from"]
    if not PEER_ID.fullmatch(peer):
        raise ValueError("from is no id")
    place: dict[str, Any] = {
        "project_id": channel.project_id, "bot_id": channel.bot_id, "channel_id": channel.id,
        "channel_type": DESCRIPTOR.type, "peer_id": peer, "received_at": call.received_at,
    }  # fmt: skip
    if event.get("gone"):
        return Reachability(**place, state="blocked")
    return MessageReceived(**place, message_id=str(event["id"]), text=event["text"], provider=event)


def _upload(account: Account, file: File) -> Request:
    media_type, body = multipart(file)
    return _request(account, "files", media_type, body, b"[%d bytes]" % len(file.data))


def _json(account: Account, step: str, params: Mapping[str, Any]) -> Request:
    body = orjson.dumps(params)
    return _request(account, step, "application/json", body, body)


def _request(account: Account, step: str, media_type: str, body: bytes, shown: bytes) -> Request:
    assert DESCRIPTOR.base_url is not None
    url = f"{account.channel.api_base_url or DESCRIPTOR.base_url.default}/{step}"
    headers = {"Content-Type": media_type, "Authorization": f"Bearer {account.credentials['key']}"}
    secrets = tuple(account.credentials.values())
    return Request("POST", url, headers, body, url, {**headers, "Authorization": HIDDEN}, shown, secrets)


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _seconds(headers: Mapping[str, str]) -> float:
    wait = headers.get("retry-after", "")
    return max(1.0, float(wait)) if wait.isascii() and wait.isdigit() else 6.0


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
