"""How FastAPI mounts a row of the route table: the caller is proved and the body's shape checked before it is parsed."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from contracts.routes import Route
from registry.web.api import Api
from servicekit.web.openapi import Operation
from servicekit.web.requests import parse_json, refuse_nul, refuse_unknown

JSON = (b"content-type", b"application/json")


def route_class(api: Api, table: Sequence[Route], operations: Mapping[str, Operation]) -> type[APIRoute]:
    """The class of routes of one application. Making a route that has no row or no operation raises KeyError."""
    rows = {row.name: row for row in table}
    mounted: list[APIRoute] = []

    class TableRoute(APIRoute):
        """One row. JSON that no database and no record can hold is refused before FastAPI's parser takes it."""

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()
            mounted.append(self)
            [method] = (self.methods or set()) - {"HEAD"}
            row = rows[f"{method} {self.path}"]
            known = operations[row.name].query

            async def guarded(request: Request) -> Response:
                request.state.caller = await api.callers.prove(row, request)
                refuse_unknown(request.query_params, known)
                refuse_nul(request.query_params.multi_items())
                body = await request.body()
                if body:
                    parse_json(body)
                return await handle(request)

            return guarded

        async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["method"] not in (self.methods or ()):
                here = (route.methods or () for route in mounted if route.path_regex.match(scope["path"]))
                raise HTTPException(405, headers={"Allow": ", ".join(sorted(set().union(*here)))})
            # Every body here is JSON; FastAPI would read one that is not called so as text.
            others = [header for header in scope["headers"] if header[0] != b"content-type"]
            await super().handle({**scope, "headers": [*others, JSON]}, receive, send)

    return TableRoute
