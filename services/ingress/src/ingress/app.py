"""The ASGI application: the first path segment after /v1 chooses the door, every error leaves as a problem."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any

import structlog
from starlette.types import Receive, Scope, Send

from ingress.http import Answer, Request, send_answer
from servicekit.http_requests import ClientGone
from servicekit.metrics import counter
from servicekit.problems import ProblemError, not_found, problem, unavailable

Door = Callable[[Request], Awaitable[Answer | None]]
"""Answers a request; None when it has sent its own response (a stream)."""

log = structlog.get_logger()


class App:
    """Dispatches by hand: a router's regular expressions cost more than the rest of a request's parsing."""

    def __init__(self, doors: Mapping[str, Door], ready: Callable[[], bool]) -> None:
        """`ready`: whether the registry has been read; before that every door answers 503 (hardening 8)."""
        self._doors, self._ready = doors, ready

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        _, version, name, *rest = (
            f"{scope['path']}//".split("/")[:-2] if scope["path"].count("/") < 2 else scope["path"].split("/")
        )
        door = self._doors.get(name) if version == "v1" else None
        try:
            if door is None:
                raise not_found("The page")
            if not self._ready():
                raise unavailable("The registry is still being read.")
            answer = await door(Request(scope, receive, send, rest))
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
