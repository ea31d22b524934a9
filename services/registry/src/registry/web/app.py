"""The application: every route of the registry over one Api."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flowlang.language.schema import node_types
from registry.kafka.channel_checks import ChannelChecks
from registry.kafka.dispatcher_calls import DispatcherCalls
from registry.resources import (
    api_calls,
    bots,
    channels,
    endpoints,
    flows,
    hook_urls,
    projects,
    secret_values,
    tokens,
    triggers,
)
from registry.web import actions_routes as http_actions
from registry.web.api import Api, install_database_errors
from registry.web.crud_routes import add_crud
from registry.web.strict_json import StrictRoute
from servicekit.web.fastapi_app import api_app
from servicekit.web.requests import RequestGuard


def build_app(api: Api, calls: DispatcherCalls) -> FastAPI:
    """Served by `servicekit.web.server.serve`."""
    app = api_app("registry")
    install_database_errors(app)
    app.add_middleware(RequestGuard)
    checks = ChannelChecks(api.writes, calls, api.site)
    app.include_router(_routes(api, calls, checks))
    return app


def _routes(api: Api, calls: DispatcherCalls, checks: ChannelChecks) -> APIRouter:
    router = APIRouter(route_class=StrictRoute)
    http_actions.add_project_routes(router, api)
    http_actions.add_token_routes(router, api)
    http_actions.add_endpoint_routes(router, api)
    http_actions.add_flow_routes(router, api)
    http_actions.add_trigger_routes(router, api)
    http_actions.add_outgoing_routes(router, api, calls, checks)
    add_crud(router, api, projects.RESOURCE)
    add_crud(router, api, tokens.RESOURCE)
    add_crud(router, api, bots.RESOURCE)
    add_crud(router, api, channels.RESOURCE, then=checks.after_create)
    add_crud(router, api, flows.RESOURCE)
    add_crud(router, api, triggers.RESOURCE)
    add_crud(router, api, hook_urls.RESOURCE)
    add_crud(router, api, api_calls.RESOURCE)
    add_crud(router, api, endpoints.RESOURCE)
    add_crud(router, api, secret_values.RESOURCE)
    _add_node_types(router, api)
    return router


def _add_node_types(router: APIRouter, api: Api) -> None:
    @router.get("/v1/node-types")
    async def list_node_types(request: Request) -> Response:
        await api.caller(request)
        return JSONResponse({"items": node_types()})
