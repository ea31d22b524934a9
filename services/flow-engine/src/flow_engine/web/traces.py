"""`GET /v1/conversations/{conversation}/trace`: what happened in a conversation, turn after turn."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flow_engine.state.traces import shown
from flow_engine.store import traces
from flow_engine.web import inbox
from servicekit.web.auth import Caller
from servicekit.web.openapi import PAGE, PROJECT, Operation, Said
from servicekit.web.pagination import decode_cursor, page, page_limit
from servicekit.web.requests import invalid_query
from servicekit.web.routes import Handler

TRACE = "GET /v1/conversations/{conversation}/trace"


class TracedEvent(BaseModel):
    """The event that made the turn."""

    id: str
    """Its id, as GET /v1/events/{event_id} takes it."""
    kind: str
    """`message`, `call_result`, `timer`, …"""


class TracedTokens(BaseModel):
    """What an answer of a language model took."""

    input: int = Field(examples=[640])
    """Tokens of what it was shown."""
    output: int = Field(examples=[52])
    """Tokens of what it said."""


class TracedNode(BaseModel):
    """One node that ran, or went on."""

    flow_id: str | None
    flow_version: int | None
    node: str | None
    """Null: nothing waited for the event any more."""
    type: str
    port: str | None
    """By which it was left; null: it waits, or the path ended there."""
    missing: list[str]
    """What was read there and has no value."""
    error: dict[str, Any] | None
    """Why it left by an error port."""
    tool: str | None = Field(examples=["seats-left"])
    """Of a node that asked a language model: the API call that the model wants made next."""
    tokens: TracedTokens | None
    """Of such a node, where the model has just answered."""


class TracedVariable(BaseModel):
    """A value that the turn changed."""

    name: str
    """`memory.seats`, `user.lecture`, `user.tags`"""
    flow_id: str | None
    """Of memory: the flow whose it is."""
    before: Any
    """As it was before the turn; null: it had no value."""
    after: Any
    """As it is after the turn."""


class TracedCall(BaseModel):
    """A request that the turn had made. `id` is what GET /v1/deliveries/{id} takes."""

    id: str
    kind: str
    name: str | None
    """Of the API call or the model, or the title of the webhook."""


class TracedAnswer(BaseModel):
    """What a call came to."""

    call: str
    """The `id` of the call, which an earlier turn made."""
    outcome: str
    """`ok`, `error` or `timeout`"""
    status: int | None
    """Of the HTTP answer."""
    took_ms: int | None
    """How long the last attempt took."""


class TracedFailure(BaseModel):
    """Why it came to nothing."""

    type: str
    detail: str | None


class TracedTurn(BaseModel):
    """What one event did."""

    turn: int
    """Counts the turns of the conversation; those in which nothing ran are left out."""
    at: str
    event: TracedEvent
    nodes: list[TracedNode]
    """In the order in which they ran."""
    variables: list[TracedVariable]
    """What the turn changed, of memory and of the person."""
    calls: list[TracedCall]
    """API calls, requests and webhooks that it asked for."""
    answer: TracedAnswer | None
    """Of a turn that an answer to a call made."""
    refused: TracedFailure | None
    """The event started nothing, and why."""
    failed: TracedFailure | None
    """A session failed: no port took the error."""
    cut: bool
    """It was too much to be kept whole: long values are cut, or only nodes and ports are there."""


class Trace(BaseModel):
    """One page, the newest first."""

    items: list[TracedTurn]
    next: str | None


OPERATIONS: dict[str, Operation] = {
    TRACE: Operation(
        {200: Said("The turns", Trace)},
        query=PAGE | {"turn": {"type": "integer", "description": "Only this one"}} | PROJECT,
        text="The newest first. Turns are kept for 8 days.",
    )
}


def handlers(deps: inbox.Deps) -> dict[str, Handler]:
    """By the name of its row."""

    async def trace(request: Request, caller: Caller) -> Response:
        query = request.query_params
        limit, key, only = (
            page_limit(query.get("limit")),
            decode_cursor(query.get("cursor"), int),
            _turn(query.get("turn")),
        )
        before = only + 1 if only is not None else key[0] if key else None
        conversation = (await inbox.here(request, caller, deps)).found.id
        async with deps.pool.acquire() as connection:
            found = await traces.newest(connection, conversation, before, 1 if only is not None else limit + 1)
        listed, following = page(found, limit, lambda row: row[:1])
        items = [shown(*row) for row in listed if only in (None, row[0])]
        return JSONResponse({"items": items, "next": following})

    return {TRACE: trace}


def _turn(given: str | None) -> int | None:
    """Raises ProblemError 422."""
    if given is None:
        return None
    if not (given.isascii() and given.isdigit() and len(given) < 16):
        raise invalid_query("turn", "the number of a turn.")
    return int(given)
