"""A route that no service has: its row, its handlers, and what its document says."""

from __future__ import annotations

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from contracts.routes import Route
from ingress.wire import http
from servicekit.web.auth import Caller
from servicekit.web.openapi import Operation, Said

GREETING = Route("GET", "/v1/greetings/{name}", "dispatcher", "Greet somebody", "deliveries:read")
WAVE = Route("POST", "/v1/waves/{name}/back", "ingress", "Wave back", "flows:execute")


class Greeting(BaseModel):
    """What is said, and to a token of which project."""

    text: str
    project: str


async def greet(request: Request, caller: Caller) -> Response:
    """As the services with Starlette have it."""
    return JSONResponse({"text": f"Hello {request.path_params['name']}", "project": caller.project_id})


async def wave(request: http.Request) -> http.Answer:
    """As ingress has it."""
    return http.json_answer(200, {"text": f"Hello {request.rest[0]}", "project": request.caller.project_id})


OPERATION = Operation({200: Said("The greeting", Greeting)})
