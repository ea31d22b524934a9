"""`GET /v1/events/{event_id}`: what became of an event."""

from __future__ import annotations

from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from contracts.registry import Trigger
from flow_engine.store.port import ConversationStore, LoggedEvent
from flow_engine.web import openapi
from servicekit.web.auth import Authoriser, Caller
from servicekit.web.problems import install_problems, not_found
from servicekit.web.requests import RequestGuard


class Deps(Protocol):
    """What the routes need; `store` raises ProblemError 503 while Postgres was never there."""

    @property
    def authoriser(self) -> Authoriser: ...

    @property
    def store(self) -> ConversationStore: ...

    def trigger(self, trigger_id: str) -> Trigger | None: ...


def make_app(deps: Deps) -> ASGIApp:
    """The engine's own HTTP."""

    async def show_event(request: Request) -> Response:
        caller = await deps.authoriser.authorise(
            request.headers.get("authorization"),
            None,
            request.client.host if request.client else None,
            project=request.query_params.get("project"),
        )
        event_id = request.path_params["event_id"]
        found = await deps.store.event(event_id)
        if found is None or caller.project not in (found.project_id, None):
            raise not_found("The event (it may not have been applied yet)")
        _may_read(caller, found, deps)
        return JSONResponse(shown(event_id, found))

    async def show_document(_: Request) -> Response:
        return JSONResponse(openapi.DOCUMENT)

    app = Starlette(
        routes=[
            Route("/v1/events/{event_id}", show_event, methods=["GET"]),
            Route("/openapi/flow-engine.json", show_document, methods=["GET"]),
        ]
    )
    install_problems(app)
    return RequestGuard(app)


def _may_read(caller: Caller, found: LoggedEvent, deps: Deps) -> None:
    """`data:read`, or the token of the trigger that the event came by. Raises ProblemError 403."""
    trigger_id = found.parts[0].get("trigger_id")
    trigger = deps.trigger(trigger_id) if trigger_id and not caller.has("data:read") else None
    if trigger is None or caller.token_id is None or trigger.auth.token_id != caller.token_id:
        caller.require("data:read")


def shown(event_id: str, found: LoggedEvent) -> dict[str, Any]:
    """The answer: {event_id, status, problem, conversation_id, answer, steps[], messages[], deliveries[]}."""
    parts = found.parts
    return {
        "event_id": event_id,
        "status": found.status,
        "problem": _last(parts, "problem") if found.status in ("rejected", "failed") else None,
        "conversation_id": found.conversation,
        "answer": _last(parts, "answer"),
        "steps": [step for part in parts for step in part.get("steps", ())],
        "messages": found.messages,
        "deliveries": [delivery for part in parts for delivery in part.get("deliveries", ())],
    }


def _last(parts: list[dict[str, Any]], name: str) -> Any:
    return next((part[name] for part in reversed(parts) if name in part), None)
