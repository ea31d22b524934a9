"""`GET /v1/events/{event_id}`, what became of an event, with the routes of `web.contacts`, `web.erasures`, `web.inbox`, `web.chats`,
`web.broadcasts`, `web.flow_migrations`, `web.node_counts`,
`web.simulate`, `web.traces` and `web.held`."""

from __future__ import annotations

from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from contracts.registry import Trigger
from contracts.routes import ROWS, STREAMED
from flow_engine.store.port import LoggedEvent
from flow_engine.web import (
    broadcasts,
    chats,
    contacts,
    erasures,
    flow_migrations,
    held,
    inbox,
    node_counts,
    simulate,
    traces,
)
from flow_engine.web.openapi import OPERATIONS, SHOW_EVENT
from servicekit.web.auth import Authoriser, Caller
from servicekit.web.problems import not_found
from servicekit.web.routes import Handler, api


class Deps(held.Deps, chats.Deps, erasures.Deps, broadcasts.Deps, flow_migrations.Deps, simulate.Deps, Protocol):
    """What the routes need."""

    @property
    def authoriser(self) -> Authoriser:
        """Who may call."""
        ...

    def trigger(self, trigger_id: str) -> Trigger | None:
        """The trigger by which an event came, if it is still there."""
        ...


def handlers(deps: Deps) -> dict[str, Handler]:
    """The engine's handlers, by the names of their rows."""

    async def show_event(request: Request, caller: Caller) -> Response:
        event_id = request.path_params["event_id"]
        found = await deps.store.event(event_id)
        if found is None or caller.project not in (found.project_id, None):
            raise not_found("The event (it may not have been applied yet)")
        _may_read(caller, found, deps)
        return JSONResponse(shown(event_id, found))

    return {
        SHOW_EVENT: show_event,
        **contacts.handlers(deps),
        **erasures.handlers(deps),
        **inbox.handlers(deps),
        **chats.handlers(deps),
        **traces.handlers(deps),
        **broadcasts.handlers(deps),
        **flow_migrations.handlers(deps),
        **node_counts.handlers(deps),
        **simulate.handlers(deps),
        **held.handlers(deps),
    }


def make_app(deps: Deps) -> ASGIApp:
    """The engine's own HTTP."""
    return api("flow-engine", handlers(deps), OPERATIONS, deps.authoriser, streams=STREAMED)


def _may_read(caller: Caller, found: LoggedEvent, deps: Deps) -> None:
    """The row's scope, the token that the event came by, or that of its trigger. Raises ProblemError 403."""
    needed = ROWS[SHOW_EVENT].scope
    assert needed is not None
    if caller.token_id is not None and found.parts[0].get("token_id") == caller.token_id:
        return
    trigger_id = found.parts[0].get("trigger_id")
    trigger = deps.trigger(trigger_id) if trigger_id and not caller.has(needed) else None
    if trigger is None or caller.token_id is None or trigger.auth.token_id != caller.token_id:
        caller.require(needed)


def shown(event_id: str, found: LoggedEvent) -> dict[str, Any]:
    """The answer: {event_id, status, problem, conversation_id, answer, contact_id, steps[], messages[], deliveries[]}."""
    parts = found.parts
    return {
        "event_id": event_id,
        "status": found.status,
        "problem": _last(parts, "problem") if found.status in ("rejected", "failed") else None,
        "conversation_id": found.conversation,
        "answer": _last(parts, "answer"),
        "contact_id": _last(parts, "contact_id"),
        "steps": [step for part in parts for step in part.get("steps", ())],
        "messages": found.messages,
        "deliveries": [delivery for part in parts for delivery in part.get("deliveries", ())],
    }


def _last(parts: list[dict[str, Any]], name: str) -> Any:
    return next((part[name] for part in reversed(parts) if name in part), None)
