"""What a service checks of a request before it looks inside: framing, size, shape of JSON. Works on bare ASGI."""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Awaitable, Iterable
from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from servicekit.storable import INTEGERS, NUL
from servicekit.web.problems import ProblemError

BODY_LIMIT = 1024 * 1024
"""Bytes of a request's body."""
HEAD_LIMIT = 32 * 1024
"""Bytes of all header names and values of a request."""
BODY_SECONDS = 30.0
JSON_DEPTH = 64
JSON_NODES = 50_000

_TO_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_LONG_NUMBER = b"0" * 19
"""All digits become zeros before it is looked for: a tenth of the time that a pattern takes."""
_TEXTS = re.compile(rb'"(?:[^"\\]|\\.)*+"')
_INTEGERS = re.compile(rb"(?<![0-9.eE+-])-?[0-9]++(?![0-9.eE])")

Head = dict[bytes, bytes]
"""Headers by lower-case name."""


def invalid_query(name: str, detail: str) -> ProblemError:
    """422 about one parameter of the query."""
    errors = [{"pointer": f"query/{name}", "detail": detail}]
    return ProblemError("invalid", 422, "Invalid request", f"{name}: {detail}", errors=errors)


def refuse_nul(query: Iterable[tuple[str, str]]) -> None:
    """Raise 422 for a parameter with U+0000, which no database can hold or look for."""
    for name, value in query:
        if NUL in value:
            raise invalid_query(name, "text without the character U+0000.")


def refuse_unknown(query: Iterable[str], known: Iterable[str]) -> None:
    """Raise 422 for a parameter that the route does not have: a mistyped filter would be a list of everything."""
    there_are = {*known, "project"}
    for name in query:
        if name not in there_are:
            others = ", ".join(sorted(there_are - {"project"}))
            raise invalid_query(
                name[:100], f"there is no such parameter here{f'; there are {others}' if others else ''}."
            )


def bad_request(detail: str) -> ProblemError:
    """400: what no proper client sends."""
    return ProblemError("bad-request", 400, "Bad request", detail)


class ClientGone(Exception):
    """The client went away before its body was complete: answer nothing, publish nothing."""


def read_head(scope: Scope) -> Head:
    """The headers. Raises ProblemError unless there is exactly one Host, at most one Authorization, and the sum is small.

    Two of either is how one server is made to believe what another one would not.
    """
    hosts = credentials = size = 0
    for name, value in scope["headers"]:
        size += len(name) + len(value)
        if name == b"host":
            hosts += 1
        elif name == b"authorization":
            credentials += 1
    if hosts != 1 or credentials > 1:
        raise bad_request("Exactly one Host header, at most one Authorization.")
    if size > HEAD_LIMIT:
        raise ProblemError("head-too-large", 431, "Headers too large", f"At most {HEAD_LIMIT} bytes of headers.")
    return dict(scope["headers"])


async def read_body(head: Head, receive: Receive, *, limit: int = BODY_LIMIT) -> bytes:
    """The whole body. Raises ProblemError 413 or 408, ClientGone when the client went away before its end."""
    refuse_long(head, limit)
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        body: bytes = message.get("body", b"")
        if len(body) > limit:
            raise too_large(limit)
        return body
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _read_rest(message, receive, limit)
    except TimeoutError:
        raise ProblemError("too-slow", 408, "Too slow", f"The body took over {BODY_SECONDS:.0f} s.") from None


async def _read_rest(message: Message, receive: Receive, limit: int) -> bytes:
    parts = bytearray()
    while True:
        if message["type"] != "http.request":
            raise ClientGone
        parts += message.get("body", b"")
        if len(parts) > limit:
            raise too_large(limit)
        if not message.get("more_body", False):
            return bytes(parts)
        message = await receive()


def refuse_long(head: Head, limit: int) -> None:
    """Raise 413 by what Content-Length says, before a byte of the body is read."""
    announced = head.get(b"content-length", b"0")
    if not announced.isdigit() or int(announced) > limit:
        raise too_large(limit)


def too_large(limit: int) -> ProblemError:
    """413 that names the limit."""
    return ProblemError("too-large", 413, "Body too large", f"At most {limit} bytes.")


def parse_json(body: bytes | str, *, depth: int = JSON_DEPTH, nodes: int = JSON_NODES) -> Any:
    """The value. Raises ProblemError 400 with the position when it is not JSON, or is nested or split beyond reason."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        detail = f"{error.msg}: line {error.lineno}, column {error.colno}"
        raise ProblemError(
            "not-json", 400, "Not JSON", detail, line=error.lineno, column=error.colno, position=error.pos
        ) from None
    raw = body if isinstance(body, bytes) else body.encode()
    if _LONG_NUMBER in raw.translate(_TO_ZEROS):
        _refuse_wide_numbers(raw)
    openings = raw.count(b"[") + raw.count(b"{")
    # Counting bytes bounds both from above, and is enough for all that people really send.
    if openings > depth or openings + raw.count(b",") >= nodes:
        _refuse_bombs(value, depth, nodes)
    return value


def _refuse_wide_numbers(raw: bytes) -> None:
    """orjson reads an integer of more than 64 bits as a near float, which is another number than the caller's."""
    for digits in _INTEGERS.findall(_TEXTS.sub(b"", raw)):
        if len(digits) > 20 or int(digits) not in INTEGERS:
            raise ProblemError("invalid", 422, "Invalid request", "An integer has more than 64 bits: send it as text.")


def _refuse_bombs(value: Any, depth: int, nodes: int) -> None:
    level, seen = [value], 1
    for _ in range(depth):
        level = [child for parent in level if isinstance(parent, (list, dict)) for child in _children(parent)]
        seen += len(level)
        if seen > nodes:
            raise ProblemError("json-too-large", 400, "JSON too large", f"At most {nodes} values.")
    if any(isinstance(value, (list, dict)) for value in level):
        raise ProblemError("json-too-deep", 400, "JSON too deep", f"At most {depth} levels.")


def _children(parent: list[Any] | dict[str, Any]) -> Any:
    return parent if isinstance(parent, list) else parent.values()


class Inflated:
    """In front of an application: a gzip body arrives as what it holds, and what it holds has the limit of all bodies."""

    def __init__(self, app: ASGIApp, *, limit: int = BODY_LIMIT) -> None:
        self._app, self._limit = app, limit

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        encodings = [value.strip().lower() for name, value in scope.get("headers", ()) if name == b"content-encoding"]
        if encodings in ([], [b"identity"]):
            return self._app(scope, receive, send)
        if encodings in ([b"gzip"], [b"x-gzip"]):
            plain = [header for header in scope["headers"] if header[0] not in (b"content-encoding", b"content-length")]
            return self._app({**scope, "headers": plain}, _inflating(receive, self._limit), send)
        refusal = ProblemError(
            "encoding-unknown", 415, "Encoding unknown", "A body is sent as it is, or as gzip.",
            headers={"Accept-Encoding": "gzip"},
        )  # fmt: skip
        return refusal.response()(scope, receive, send)


def _inflating(receive: Receive, limit: int) -> Receive:
    """`receive` of what the gzip body holds. Raises ProblemError 400 for what is not one whole gzip member, 413."""
    inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    packed = given = 0

    async def inflated() -> Message:
        nonlocal packed, given
        message = await receive()
        if message["type"] != "http.request":
            return message
        try:
            body = inflater.decompress(message.get("body", b""), limit + 1 - given)
        except zlib.error:
            raise _not_gzip() from None
        # Empty blocks are bytes that hold nothing: what came is bounded as well as what is in it.
        packed, given = packed + len(message.get("body", b"")), given + len(body)
        if max(packed, given) > limit:
            raise too_large(limit)
        if inflater.unused_data or not (message.get("more_body", False) or inflater.eof):
            raise _not_gzip()
        return {**message, "body": body}

    return inflated


def _not_gzip() -> ProblemError:
    return ProblemError("not-gzip", 400, "Not gzip", "The body is not one whole gzip stream.")


class RequestGuard:
    """For Starlette and FastAPI applications: `read_head` and the limit on bodies in front of every route.

    A body without Content-Length is counted while the application reads it; past the limit the answer is 413, whatever
    the application made of it.
    """

    def __init__(self, app: ASGIApp, *, limit: int = BODY_LIMIT, unlimited: frozenset[str] = frozenset()) -> None:
        """`unlimited`: paths that read their body as a stream and bound it themselves."""
        self._app, self._limit, self._unlimited = app, limit, unlimited

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            head = read_head(scope)
            if scope["path"] in self._unlimited:
                await self._app(scope, receive, send)
            else:
                refuse_long(head, self._limit)
                await self._counted(scope, receive, send)
        except ProblemError as refusal:
            await refusal.response()(scope, receive, send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        size, started, refused = 0, False, False

        async def counting() -> Message:
            nonlocal size, refused
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._limit:
                refused = True
                raise too_large(self._limit)
            return message

        async def sending(message: Message) -> None:
            nonlocal started
            if refused and not started:
                return  # The application answers its own way to a body it could not read.
            started = True
            await send(message)

        try:
            await self._app(scope, counting, sending)
        except ProblemError:
            if not refused:
                raise
        if refused and not started:
            raise too_large(self._limit)
        # One that has begun stays incomplete: the server closes the connection.
