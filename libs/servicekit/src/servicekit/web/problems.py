"""Errors of the HTTP APIs: RFC 9457 `application/problem+json`. Needs Starlette only; usable from bare ASGI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

TYPE_BASE = "https://switchhook.dev/problems/"
"""A problem's `type` is a page of the docs."""
MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """Answer the request with this problem. `headers` go on the response, `extra` into the body."""

    def __init__(
        self,
        type_slug: str,
        status: int,
        title: str,
        detail: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(f"{status} {type_slug}")
        self.type_slug, self.status, self.title, self.detail = type_slug, status, title, detail
        self.headers, self.extra = headers, extra

    def response(self) -> Response:
        return problem(
            self.type_slug, self.status, self.title, self.detail, headers=self.headers, **self.extra
        )  # fmt: skip


def problem(
    type_slug: str,
    status: int,
    title: str,
    detail: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    **extra: Any,
) -> Response:
    """The response, an ASGI application itself. `extra` members (`errors`, `reason`, …) are left out when None."""
    body = {"type": TYPE_BASE + type_slug, "title": title, "status": status, "detail": detail, **extra}
    present = {name: value for name, value in body.items() if value is not None}
    return Response(orjson.dumps(present), status, headers=headers, media_type=MEDIA_TYPE)


def unavailable(detail: str, retry_after_seconds: int = 1) -> ProblemError:
    """503: the outcome is unknown; the same request with the same Idempotency-Key is safe to send again."""
    return ProblemError(
        "unavailable", 503, "Temporarily unavailable", detail, headers={"Retry-After": str(retry_after_seconds)}
    )


def not_found(what: str) -> ProblemError:
    """404, also for an entity of another project."""
    return ProblemError("not-found", 404, "Not found", f"{what} was not found.")


def internal_error() -> Response:
    """500: the answer to an error of ours."""
    return problem("internal", 500, "Internal error", "The error was logged; nothing about it is told here.")


def _slug_of(status: int) -> str:
    known = {405: "method-not-allowed", 413: "too-large", 422: "invalid"}
    return known.get(status, f"http-{status}")


async def _on_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return error.response()


async def _on_http_exception(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status, headers = error.status_code, error.headers
    if status == 404:
        return problem("not-found", 404, "Not found", "There is nothing at this path.", headers=headers)
    title = "Method not allowed" if status == 405 else error.detail
    return problem(_slug_of(status), status, title, headers=headers)


async def _on_unforeseen(_: Request, __: Exception) -> Response:
    return internal_error()


def install_problems(app: Starlette) -> None:
    """Let every error of a Starlette application leave as a problem."""
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_unforeseen)
