"""Calling an ASGI application without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import orjson


class Response(NamedTuple):
    """Headers by lower-case name."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


async def call(
    app: Any,
    method: str,
    path: str,
    *,
    body: bytes | None = None,
    json: Any = None,
    headers: Mapping[str, str] | None = None,
    client: str = "203.0.113.9",
    before_body: Callable[[], object] = lambda: None,
) -> Response:
    """One request; `path` may have a query. The client never goes away by itself. `before_body` is called when its body is
    asked for."""
    plain, _, query = path.partition("?")
    content = orjson.dumps(json) if json is not None else body or b""
    given = {"host": "test", "content-length": str(len(content)), **(headers or {})}
    scope = {
        "type": "http",
        "method": method,
        "path": plain,
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in given.items()],
        "client": (client, 1),
    }
    incoming = [{"type": "http.request", "body": content, "more_body": False}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if incoming:
            before_body()
            return incoming.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, *chunks = sent
    named = {name.decode(): value.decode() for name, value in start["headers"]}
    return Response(start["status"], named, b"".join(chunk.get("body", b"") for chunk in chunks))
