"""Errors that no handler took: the caller gets a whole answer, and the connection stays good for the next one.

The server closes a connection without a word when an application raises, also after a complete answer; a proxy that
keeps connections for others would send somebody else's request into it.
"""

from __future__ import annotations

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from servicekit.web.problems import internal_error
from servicekit.web.requests import ClientGone

log = structlog.get_logger()


class Unforeseen:
    """In front of an application: what it raises is logged and becomes 500, unless the answer had begun before."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = complete = False

        async def sending(message: Message) -> None:
            nonlocal started, complete
            started = True
            complete = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except (ClientGone, ClientDisconnect):
            return  # Nobody is there to be answered, and anybody may do it as often as he likes.
        except Exception:
            if scope["type"] != "http" or (started and not complete):
                raise  # Half an answer: only the end of the connection tells so.
            log.exception("request.failed", method=scope["method"])
            if not started:
                await internal_error()(scope, receive, send)
