"""A request and an answer on bare ASGI: no middleware, no objects that a request of the hot path does not need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import orjson
from starlette.types import Receive, Scope, Send

from contracts.routes import Route
from ingress.wire.problems import invalid
from servicekit.web.auth import Caller
from servicekit.web.requests import Head, parse_json, read_body, read_head

Headers = list[tuple[bytes, bytes]]
JSON = (b"content-type", b"application/json")
TOO_MANY_HOPS = 1_000
"""Far more than the engine lets pass."""


class Answer(NamedTuple):
    """A whole response; `headers` without Content-Length, which `send_answer` adds."""

    status: int
    body: bytes = b""
    headers: Sequence[tuple[bytes, bytes]] = ()


class Request:
    """One HTTP request. `rest` holds the path's segments after `/v1/<door>`.

    `client_ip`: the caller's address, as the trusted proxies tell it. `hops`: how many of our own requests led to this one.
    `always` are headers of every answer to it, refusals included. `row` is set when the method is known, `caller` where
    the row asks for a token.
    """

    __slots__ = (
        "always", "caller", "client_ip", "head", "hops", "method", "path", "receive", "rest", "row", "scope", "send",
    )  # fmt: skip
    row: Route
    caller: Caller

    def __init__(self, scope: Scope, receive: Receive, send: Send, rest: list[str], always: Headers) -> None:
        """Raises ProblemError for a head that no honest client sends."""
        self.scope, self.receive, self.send, self.rest, self.always = scope, receive, send, rest, always
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.head: Head = read_head(scope)
        self.hops = hops_told(self.head.get(b"switchhook-hops"))
        client = scope["client"]
        self.client_ip: str = client[0] if client else ""

    @property
    def query_text(self) -> str:
        """The query as it was sent, without `?`."""
        return str(self.scope["query_string"].decode("latin-1"))

    def query(self) -> dict[str, str | list[str]]:
        """The query as an object; a name given more than once has a list."""
        return collect(parse_qsl(self.query_text, keep_blank_values=True))

    def header(self, name: bytes) -> str | None:
        """A header by its lower-case name."""
        value = self.head.get(name)
        return None if value is None else value.decode("latin-1")

    async def body(self) -> bytes:
        """The whole body. Raises ProblemError 413 or 408, ClientGone."""
        return await read_body(self.head, self.receive)

    async def json_object(self) -> dict[str, Any]:
        """The body as a JSON object. Raises ProblemError 400, 413 or 422."""
        return object_of(await read_body(self.head, self.receive))


def hops_told(given: bytes | None) -> int:
    """How many of our own requests led to what came, as its header tells: a loop through other services ends by it.

    A header that is no count, or a huge one, is too many: who passes it on in pieces would never end the loop.
    """
    if given is None:
        return 0
    return min(int(given), TOO_MANY_HOPS) if given.isdigit() and len(given) < 5 else TOO_MANY_HOPS


def object_of(body: bytes) -> dict[str, Any]:
    """The JSON object that a body holds. Raises ProblemError 400 or 422."""
    value = parse_json(body)
    if not isinstance(value, dict):
        raise invalid("", "The body must be a JSON object.")
    return value


def collect(pairs: list[tuple[str, str]]) -> dict[str, str | list[str]]:
    """Pairs of a query or form as an object; a name given more than once has a list."""
    found: dict[str, str | list[str]] = {}
    for name, value in pairs:
        earlier = found.get(name)
        if earlier is None:
            found[name] = value
        elif isinstance(earlier, list):
            earlier.append(value)
        else:
            found[name] = [earlier, value]
    return found


def json_answer(status: int, value: Any, headers: Headers | None = None) -> Answer:
    """An answer whose body is `value` as JSON."""
    return Answer(status, orjson.dumps(value), [JSON, *headers] if headers else [JSON])


async def send_answer(send: Send, answer: Answer, always: Headers | None = None) -> None:
    """Send it whole, with the headers that every answer to this request has."""
    headers = [*answer.headers, *(always or ()), (b"content-length", b"%d" % len(answer.body))]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
