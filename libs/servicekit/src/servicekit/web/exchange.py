"""One request of a connection and its answer, with what becomes of an application's errors.

One that nobody foresaw is logged and becomes 500 where no answer had begun. After half an answer the connection ends, because
only that tells the client so; after a whole one it stays, since a proxy that keeps connections for others would send somebody
else's request into it.
"""

from __future__ import annotations

from typing import Any

import structlog
from starlette.requests import ClientDisconnect
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from servicekit.web.problems import internal_error
from servicekit.web.requests import ClientGone

log = structlog.get_logger()


class Exchange(RequestResponseCycle):
    """uvicorn's, which has the application's `receive` and `send`."""

    async def run_asgi(self, app: Any) -> None:
        """Have the application answer."""
        try:
            await app(self.scope, self.receive, self.send)
            if not (self.response_started or self.disconnected):
                raise RuntimeError("the application returned without an answer")
        except (ClientGone, ClientDisconnect):
            pass  # Nobody is there to be answered, and anybody may do it as often as he likes.
        except Exception:
            log.exception("request.failed", method=self.scope["method"])
            if not self.response_started:
                await internal_error()(self.scope, self.receive, self.send)  # type: ignore[arg-type]
        finally:
            self.on_response = _nothing  # It leads to the connection, which leads here.
            if not (self.response_complete or self.disconnected):
                self.transport.close()


def _nothing() -> None:
    pass
