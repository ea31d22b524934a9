"""The delivery log over HTTP: list, show, replay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Protocol
from uuid import UUID

import asyncpg
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from contracts.cloudevents import rfc3339
from dispatcher.kinds import webhook
from dispatcher.kinds.table import DELIVERY_KINDS
from dispatcher.model.delivery import DeliveryKind, unknown_kind
from dispatcher.sending import attempt_log
from dispatcher.store import log
from dispatcher.store.erasures import ERASED
from dispatcher.web.openapi import OPERATIONS, STATUSES
from servicekit.storable import moment_of
from servicekit.web.auth import Authoriser, Caller
from servicekit.web.pagination import decode_cursor, page, page_limit
from servicekit.web.problems import ProblemError, not_found
from servicekit.web.requests import invalid_query
from servicekit.web.routes import Handler, api

REPLAYABLE = [name for name, kind in DELIVERY_KINDS.items() if kind.not_replayable is None]


class Deps(Protocol):
    """What the routes need; `pool` raises ProblemError 503 while the database was never there."""

    @property
    def authoriser(self) -> Authoriser:
        """Who may call."""
        ...

    @property
    def pool(self) -> asyncpg.Pool[asyncpg.Record]: ...

    def wake(self) -> None:
        """Something became due: look at once."""


def handlers(deps: Deps) -> dict[str, Handler]:
    """The dispatcher's handlers, by the names of their rows."""

    async def list_deliveries(request: Request, caller: Caller) -> Response:
        query = request.query_params
        limit = page_limit(query.get("limit"))
        after = _position(query.get("cursor"))
        async with deps.pool.acquire() as connection:
            rows = await log.page(
                connection,
                caller.project_id,
                endpoint=query.get("endpoint"),
                event=query.get("event"),
                state=_state(query.get("status")),
                since=_moment("since", query.get("since")),
                after=after,
                limit=limit,
            )
        shown, following = page(rows, limit, lambda row: (row["created_at"].isoformat(), str(row["id"])))
        return JSONResponse({"items": [summary(row) for row in shown], "next": following})

    async def show_delivery(request: Request, caller: Caller) -> Response:
        id, project = _id(request), caller.project_id
        async with deps.pool.acquire() as connection:
            row = await log.find(connection, id, project)
            if row is None:
                raise not_found("The delivery")
            payload = await log.payload(connection, id, project)
            attempts = await log.attempts(connection, id)
        body = partial(_kind_of(row).body_of, payload)
        return JSONResponse(summary(row) | {"attempts": [attempt(each, body) for each in attempts]})

    async def replay(request: Request, caller: Caller) -> Response:
        id, project = _id(request), caller.project_id
        async with deps.pool.acquire() as connection:
            row = await log.find(connection, id, project)
            if row is None:
                raise not_found("The delivery")
            if not await log.replay(connection, id, project, REPLAYABLE):
                raise _not_replayable(row)
            row = await log.find(connection, id, project)
        deps.wake()
        return JSONResponse(summary(row), status_code=202)

    return {
        "GET /v1/deliveries": list_deliveries,
        "GET /v1/deliveries/{id}": show_delivery,
        "POST /v1/deliveries/{id}/replay": replay,
    }


def make_app(deps: Deps) -> ASGIApp:
    """The dispatcher's own HTTP."""
    return api("dispatcher", handlers(deps), OPERATIONS, deps.authoriser)


def summary(row: Mapping[str, Any] | Any) -> dict[str, Any]:
    """A delivery as the list shows it; `webhook_id` is its id."""
    kind, _, target = row["destination"].partition(":")
    if kind == webhook.KIND.prefix:
        target = target.rpartition("/")[2]  # Before it stands the project; rows of earlier releases have none.
    return {
        "id": str(row["id"]),
        "kind": row["kind"],
        "status": row["state"],
        "target": {"type": kind, "id": target},
        "event": {"id": row["event_id"], "type": row["event_type"]} if row["event_id"] else None,
        "conversation_id": row["conversation"],
        "attempts_made": row["attempts"],
        "next_attempt_at": _text(row["due"]) if row["state"] in ("pending", "retrying") else None,
        "created_at": _text(row["created_at"]),
        "finished_at": _text(row["finished_at"]),
        "error": row["error"],
    }


def attempt(row: Mapping[str, Any] | Any, body_of_payload: Callable[[], bytes]) -> dict[str, Any]:
    """One attempt; secrets were never stored."""
    return {
        "number": row["number"],
        "started_at": _text(row["started_at"]),
        "took_ms": row["took_ms"],
        "outcome": row["outcome"],
        "status": row["status"],
        "code": row["code"],
        "detail": row["detail"],
        "request": attempt_log.shown_request(row["request"], body_of_payload),
        "response": attempt_log.shown_answer(row["response"]) if row["response"] else None,
    }


def _kind_of(row: Mapping[str, Any] | Any) -> DeliveryKind:
    return DELIVERY_KINDS.get(row["kind"]) or unknown_kind(row["kind"])


def _not_replayable(row: Mapping[str, Any] | Any) -> ProblemError:
    erased = "Its contact was erased." if row["error"] == ERASED else None
    detail = (
        erased
        or _kind_of(row).not_replayable
        or "It is being attempted just now, or waits behind an earlier one of its lane."
    )
    return ProblemError("not-replayable", 409, "Not replayable", detail)


def _id(request: Request) -> UUID:
    try:
        return UUID(request.path_params["id"])
    except ValueError as error:
        raise not_found("The delivery") from error


def _position(cursor: str | None) -> tuple[datetime, UUID] | None:
    key = decode_cursor(cursor, str, str)
    try:
        return None if key is None else (moment_of(key[0]), UUID(key[1]))
    except ValueError as error:
        raise _invalid("cursor: take it from `next` of the page before.") from error


def _state(text: str | None) -> str | None:
    if text is not None and text not in STATUSES:
        raise _invalid(f"status: one of {', '.join(STATUSES)}.")
    return text


def _moment(name: str, text: str | None) -> datetime | None:
    try:
        return None if text is None else moment_of(text)
    except ValueError as error:
        raise invalid_query(name, f"{error}.") from error


def _invalid(detail: str) -> ProblemError:
    return ProblemError("invalid", 422, "Invalid request", detail)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
