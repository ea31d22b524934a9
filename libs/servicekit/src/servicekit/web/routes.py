"""Mounts a service's handlers from the table of routes and proves the caller as a row asks, before the handler runs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as Mounted
from starlette.types import ASGIApp

from contracts.routes import ROUTES, Route, Service, bind
from servicekit.web.auth import Authoriser, Caller
from servicekit.web.database_away import install_database_away
from servicekit.web.openapi import Operation, document, document_path
from servicekit.web.problems import install_problems
from servicekit.web.requests import RequestGuard, refuse_nul, refuse_unknown

Handler = Callable[[Request, Caller], Awaitable[Response]]


async def prove(row: Route, authoriser: Authoriser, request: Request) -> Caller:
    """The caller of a route that asks for a token. Raises ProblemError 401 or 403."""
    return await authoriser.admit(
        row,
        request.headers.get("authorization"),
        request.client.host if request.client else None,
        project=request.query_params.get("project"),
    )


def api(
    service: Service,
    handlers: Mapping[str, Handler],
    operations: Mapping[str, Operation],
    authoriser: Authoriser,
    table: Sequence[Route] = ROUTES,
    *,
    streams: frozenset[str] = frozenset(),
) -> ASGIApp:
    """A service's HTTP: every row of the table, and its OpenAPI document. Raises UnboundRoute when they do not match.

    `streams`: paths that read their body as a stream and bound it themselves.
    """
    bind(service, operations, table)
    described = _Described(partial(document, service, operations, table))
    by_path: dict[str, dict[str, tuple[Route, Handler]]] = {}
    for row, handler in bind(service, handlers, table):
        by_path.setdefault(row.path, {})[row.method] = (row, handler)
    _widen(by_path)

    async def show_document(_: Request) -> Response:
        return JSONResponse(await described.document())

    queries = {name: operation.query for name, operation in operations.items()}
    mounted = [_mounted(path, methods, authoriser, queries) for path, methods in by_path.items()]
    app = Starlette(routes=[*mounted, Mounted(document_path(service), show_document, methods=["GET"])])
    app.router.redirect_slashes = False
    install_problems(app)
    install_database_away(app)
    return RequestGuard(app, unlimited=streams)


class _Described:
    """A document that is made when it is first asked for, and beside the event loop: it takes the engine a tenth of a second."""

    def __init__(self, make: Callable[[], dict[str, Any]]) -> None:
        self._make = make
        self._making: asyncio.Task[dict[str, Any]] | None = None

    async def document(self) -> dict[str, Any]:
        """The same one each time, however many ask at once."""
        if self._making is None:
            self._making = asyncio.create_task(asyncio.to_thread(self._make))
        return await asyncio.shield(self._making)


def _widen(by_path: dict[str, dict[str, tuple[Route, Handler]]]) -> None:
    """A path without parameters answers what a wider one does where it has no method of its own, so that a 405 names all."""
    for path, wider in [(path, wider) for path in by_path if "{" not in path for wider in by_path if wider != path]:
        found = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", wider), path)
        if found is not None:
            for method, (row, handler) in by_path[wider].items():
                by_path[path].setdefault(method, (row, partial(_with_parameters, found.groupdict(), handler)))


async def _with_parameters(given: dict[str, str], handler: Handler, request: Request, caller: Caller) -> Response:
    request.scope["path_params"] = given
    return await handler(request, caller)


def _mounted(
    path: str, methods: dict[str, tuple[Route, Handler]], authoriser: Authoriser, queries: Mapping[str, Iterable[str]]
) -> Mounted:
    """One route of Starlette's for all methods of a path, so that a 405 names them all. `queries`: by the rows' names."""

    async def answer(request: Request) -> Response:
        row, handler = methods["GET" if request.method == "HEAD" else request.method]
        caller = await prove(row, authoriser, request)
        refuse_unknown(request.query_params, queries[row.name])
        refuse_nul(request.query_params.multi_items())
        return await handler(request, caller)

    return Mounted(path, answer, methods=list(methods))
