"""The ASGI application: the first path segment after /v1 chooses the door, every error leaves as a problem."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any

import structlog
from starlette.types import Receive, Scope, Send

from ingress.web.http import Answer, Request, send_answer
from servicekit.observability.metrics import counter
from servicekit.web.problems import ProblemError, not_found, problem, unavailable
from servicekit.web.requests import ClientGone

Door = Callable[[Request], Awaitable[Answer | None]]
"""Answers a request; None when it has sent its own response (a stream)."""

log = structlog.get_logger()


class App:
    """Dispatches by hand: a router's regular expressions cost more than the rest of a request's parsing."""

    def __init__(self, doors: Mapping[str, Door], ready: Callable[[], bool], pages: Mapping[str, Answer]) -> None:
        """`ready`: whether the registry has been read and replies would be seen; before that every door answers 503.

        `pages` are answers by path, for what lies outside /v1.
        """
        self._doors, self._ready, self._pages = doors, ready, pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        _, *parts = scope["path"].split("/")
        name = parts[1] if len(parts) > 1 and parts[0] == "v1" else ""
        door = self._doors.get(name)
        try:
            answer = await self._answer(door, scope, receive, send, parts[2:])
            if answer is not None:
                await send_answer(send, answer)
                _answered(name, answer.status).inc()
        except ProblemError as refusal:
            _refused(refusal.type_slug).inc()
            await self._refuse(refusal, name if door else "none", scope, receive, send)
        except ClientGone:
            _answered(name, 499).inc()
        except Exception:
            log.exception("request.failed", door=name, method=scope["method"])
            _answered(name, 500).inc()
            await problem("internal", 500, "Internal error", "The error was logged; nothing about it is told here.")(
                scope, receive, send
            )

    async def _answer(
        self, door: Door | None, scope: Scope, receive: Receive, send: Send, rest: list[str]
    ) -> Answer | None:
        if door is None:
            page = self._pages.get(scope["path"])
            if page is None or scope["method"] != "GET":
                raise not_found("The page")
            return page
        if not self._ready():
            raise unavailable("The registry is still being read: come again.")
        return await door(Request(scope, receive, send, rest))

    @staticmethod
    async def _refuse(refusal: ProblemError, name: str, scope: Scope, receive: Receive, send: Send) -> None:
        _answered(name, refusal.status).inc()
        await refusal.response()(scope, receive, send)


@lru_cache(maxsize=512)
def _answered(door: str, status: int) -> Any:
    return counter("switchhook_http_requests_total").labels(door, str(status))


@lru_cache(maxsize=128)
def _refused(problem_type: str) -> Any:
    return counter("switchhook_ingress_refused_total").labels(problem_type)
