"""Bodies are looked at once before FastAPI parses them: its parser takes what no database and no record can hold."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from servicekit.web.requests import parse_json


class StrictRoute(APIRoute):
    """Refuses JSON that is nested or split beyond reason, has half a character in a text, NaN, or the like."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def checked(request: Request) -> Response:
            body = await request.body()
            if body:
                parse_json(body)
            return await handle(request)

        return checked
