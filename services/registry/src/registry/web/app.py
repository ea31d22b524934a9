"""The application: every row of the route table over one Api, and the pages that document all of the API."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI

from contracts.routes import ROUTES, Route, bind
from registry.kafka.dispatcher_calls import DispatcherCalls
from registry.resources.kinds import RESOURCES
from registry.resources.resource import AnyResource
from registry.web import docs_pages, openapi
from registry.web.api import Api, install_database_errors
from registry.web.dead_letters import Letters
from registry.web.routes import handlers
from registry.web.table_route import route_class
from servicekit.web.fastapi_app import api_app
from servicekit.web.openapi import document
from servicekit.web.requests import RequestGuard


def build_app(
    api: Api,
    calls: DispatcherCalls,
    letters: Letters,
    resources: Sequence[AnyResource] = RESOURCES,
    table: Sequence[Route] = ROUTES,
) -> FastAPI:
    """Served by `servicekit.web.server.serve`. Raises UnboundRoute when rows and handlers do not match."""
    app = api_app("registry")
    install_database_errors(app)
    app.add_middleware(RequestGuard)
    operations = openapi.operations(resources)
    router = APIRouter(route_class=route_class(api, table, operations))
    for row, handler in bind("registry", handlers(api, calls, letters, resources), table):
        router.add_api_route(row.path, handler, methods=list(row.methods))
    app.include_router(router)
    docs_pages.add(app, document("registry", operations, table))
    return app
