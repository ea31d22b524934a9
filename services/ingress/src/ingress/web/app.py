"""The ASGI application: the path chooses the handler, the row says who may call it, every error leaves as a problem."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import structlog
from starlette.types import Receive, Scope, Send

from ingress.web.openapi import OPERATIONS
from ingress.web.places import Place, Places
from ingress.wire.http import Answer, Request, send_answer
from ingress.wire.problems import not_allowed
from servicekit.observability.current_trace import in_trace
from servicekit.observability.metrics import counter, histogram
from servicekit.web.auth import Authoriser
from servicekit.web.problems import ProblemError, not_found, problem, unavailable
from servicekit.web.requests import ClientGone, refuse_unknown

PAGE_METHODS = ("GET", "HEAD")

log = structlog.get_logger()


class App:
    """Everything that ingress answers over HTTP."""

    def __init__(
        self, places: Places, authoriser: Authoriser, ready: Callable[[], bool], pages: Mapping[str, Answer]
    ) -> None:
        """`ready`: whether the registry has been read and replies would be seen; before that every route answers 503.

        `pages` are answers by path, for what lies outside /v1.
        """
        self._places, self._authoriser, self._ready, self._pages = places, authoriser, ready, pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        _, *parts = scope["path"].split("/")
        name = parts[1] if len(parts) > 1 and parts[0] == "v1" else ""
        place = self._places.find(name, parts)
        if place is None:
            await self._page(scope, receive, send)
            return
        always: list[tuple[bytes, bytes]] = []
        begun = time.monotonic()
        try:
            if not self._ready():
                raise unavailable("The registry is still being read: come again.")
            answer = await self._answer(place, Request(scope, receive, send, parts[2:], always))
            if answer is not None:
                await send_answer(send, answer, always)
                _answered(name, answer.status).inc()
        except ProblemError as refusal:
            _refused(refusal.type_slug).inc()
            _answered(name, refusal.status).inc()
            refusal.headers = {**(refusal.headers or {}), **{key.decode(): value.decode() for key, value in always}}
            await refusal.response()(scope, receive, send)
        except ClientGone:
            _answered(name, 499).inc()
        except Exception:
            with in_trace(dict(scope["headers"]).get(b"traceparent")):  # It may have failed before its span began.
                log.exception("request.failed", door=name, method=scope["method"])
            _answered(name, 500).inc()
            await problem("internal", 500, "Internal error", "The error was logged; nothing about it is told here.")(
                scope, receive, send
            )
        finally:
            _seconds(name).observe(time.monotonic() - begun)

    async def _answer(self, place: Place, request: Request) -> Answer | None:
        if place.first is not None and (answer := await place.first(request)) is not None:
            return answer
        bound = place.methods.get(request.method)
        if bound is None:
            raise not_allowed(*sorted(place.methods))
        row, handler = bound
        request.row = row
        if row.proof == "token":
            authorization = request.head.get(b"authorization")
            request.caller = await self._authoriser.admit(row, authorization, request.client_ip)
            if request.query_text:
                refuse_unknown(request.query(), OPERATIONS[row.name].query)
        return await handler(request)

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        page = self._pages.get(scope["path"])
        if page is not None and scope["method"] in PAGE_METHODS:
            await send_answer(send, page)
            _answered("", page.status).inc()
            return
        refusal = not_found("The page") if page is None else not_allowed(*PAGE_METHODS)
        _refused(refusal.type_slug).inc()
        _answered("none", refusal.status).inc()
        await refusal.response()(scope, receive, send)


@lru_cache(maxsize=512)
def _answered(door: str, status: int) -> Any:
    return counter("switchhook_http_requests_total").labels(door, str(status))


@lru_cache(maxsize=128)
def _seconds(door: str) -> Any:
    return histogram("switchhook_http_seconds").labels(door)


@lru_cache(maxsize=128)
def _refused(problem_type: str) -> Any:
    return counter("switchhook_ingress_refused_total").labels(problem_type)
