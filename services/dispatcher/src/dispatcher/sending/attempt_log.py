"""What of a request and its answer is kept in the log: without secrets, bodies cut. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from dispatcher.requests import BODY_LIMIT, Request, without
from servicekit.http_client.guarded_http import Answer

KEPT_HEADERS = ("content-type", "content-length", "retry-after", "location", "server", "date")
OWN_BODY = "own_body"
"""Whether the stored body is the request's; else it followed from the delivery's payload."""
OLD_MARKER = "payload"
"""Rows of releases that did not store OWN_BODY have this text where the body was the delivery's payload."""


def kept_request(request: Request) -> bytes:
    """The request as it may be stored, JSON. A body that follows from the delivery's payload, which is stored already, is null."""
    body = None if request.shown_body is None else _text(request.shown_body)
    return orjson.dumps(
        {
            "method": request.method,
            "url": request.shown_url,
            "headers": request.shown_headers,
            "body": body,
            OWN_BODY: body is not None,
        }
    )


def shown_request(kept: bytes, body_of_payload: Callable[[], bytes]) -> dict[str, Any]:
    """The stored request as the API shows it; `body_of_payload` is asked where the body is not stored."""
    request: dict[str, Any] = orjson.loads(kept)
    own = request.pop(OWN_BODY, request.get("body") not in (None, OLD_MARKER))
    if "body" in request and not own:
        request["body"] = _text(body_of_payload())
    return request


def kept_answer(request: Request, answer: Answer | None) -> bytes | None:
    """The answer as it may be stored: a receiver that echoes our secrets does not get them into the log."""
    if answer is None:
        return None
    headers = {name: answer.headers[name] for name in KEPT_HEADERS if name in answer.headers}
    body = answer.body
    if request.secrets:  # Before it is cut: half a secret at the end would not be found.
        body = without(body.decode("utf-8", "replace"), request.secrets).encode()
        headers = without(headers, request.secrets)
    return orjson.dumps({"status": answer.status, "headers": headers, "body": _text(body)})


def shown_answer(kept: bytes) -> dict[str, Any]:
    """The stored answer as the API shows it."""
    answer: dict[str, Any] = orjson.loads(kept)
    return answer


def for_the_caller(request: Request) -> dict[str, Any]:
    """The request for who waits for a test call, without secrets."""
    return {"method": request.method, "url": request.shown_url, "headers": request.shown_headers}


def _text(body: bytes) -> str:
    return body[:BODY_LIMIT].decode("utf-8", "replace")
