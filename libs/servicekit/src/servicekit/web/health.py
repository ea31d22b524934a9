"""Liveness, readiness and metrics, in front of any ASGI application. The gateway routes none of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

Checks = Mapping[str, Callable[[], str | None]]
"""What readiness depends on: by name, a function that gives None, or the reason why not."""


class Health:
    """Readiness of one process, and its end: from `stop` on it is red for good, so that no new work is routed here."""

    def __init__(self, checks: Checks | None = None, *, warnings: Checks | None = None) -> None:
        """`warnings`: what makes nothing red and has to be known all the same."""
        self.checks: dict[str, Callable[[], str | None]] = dict(checks or {})
        self._warnings = dict(warnings or {})
        self._stop = asyncio.Event()

    @property
    def stopping(self) -> bool:
        """Whether the process was asked to end."""
        return self._stop.is_set()

    def stop(self) -> None:
        """The process was asked to end: finish what is in flight."""
        self._stop.set()

    async def until_stopping(self) -> None:
        """For what has no end of its own (open streams, long polls): returns when the process should end."""
        await self._stop.wait()

    def reasons(self) -> dict[str, str]:
        """Why the process is not ready; empty when it is."""
        if self.stopping:
            return {"process": "is stopping"}
        return told(self.checks)

    def answer(self, path: str) -> Response | None:
        """The response to a path of ours, None for any other."""
        if path == "/health/live":
            return _json({"alive": True}, 200)
        if path == "/health/ready":
            reasons = self.reasons()
            body = {"ready": not reasons, "reasons": reasons}
            warnings = told(self._warnings)
            return _json(body | ({"warnings": warnings} if warnings else {}), 503 if reasons else 200)
        if path == "/metrics":
            return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)
        return None

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """`app` with these paths in front of it.

        As they are written: a gateway that does not decode what it routes by would pass `/%6detrics` on.
        """

        def with_health(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
            if scope["type"] == "http" and not scope["path"].startswith("/v1/") and b"%" not in scope["raw_path"]:
                response = self.answer(scope["path"])
                if response is not None:
                    return response(scope, receive, send)
            return app(scope, receive, send)

        return with_health


def told(checks: Checks) -> dict[str, str]:
    """What those of them have to say that do not give None."""
    return {name: said for name, check in checks.items() if (said := check()) is not None}


def _json(body: object, status: int) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
