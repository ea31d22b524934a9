"""`GET /v1/conversations/counts`: how often the nodes of a flow's version were reached, and left by which port."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, Field
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flow_engine.store import node_counts
from flow_engine.store.node_counts import KEPT_DAYS, Counted
from flow_engine.web import contacts, flow_migrations
from servicekit.web.auth import Caller
from servicekit.web.openapi import PROJECT, TEXT, Operation, Said
from servicekit.web.requests import invalid_query
from servicekit.web.routes import Handler

COUNTS = "GET /v1/conversations/counts"
MOST_VERSION = 2**31 - 1


class NodeCounts(BaseModel):
    """What happened at one node."""

    node: Annotated[str, Field(examples=["ask_lecture"])]
    """Its id."""
    reached: Annotated[int, Field(examples=[1200])]
    """How often conversations came to it."""
    left: dict[str, int]
    """How often it was left, by port: `ok`, `timeout`, `error` …, or the node or flow that an option, a jump or a call leads to."""
    waiting: Annotated[int, Field(examples=[40])]
    """Conversations that wait there now, whenever they came."""
    input_tokens: Annotated[int, Field(examples=[0])]
    """Of an `ai` node: what the models have read."""
    output_tokens: Annotated[int, Field(examples=[0])]
    """Of an `ai` node: what the models have written."""


class FlowCounts(BaseModel):
    """A version of a flow, node by node."""

    flow_id: str
    version: Annotated[int, Field(examples=[5])]
    """The version that was counted."""
    since: Annotated[str, Field(examples=["2026-11-15"])]
    """The first day, UTC."""
    until: Annotated[str, Field(examples=["2026-11-21"])]
    """The last day, UTC."""
    nodes: list[NodeCounts]
    """Those that were reached or left, or are waited at, by their ids."""


OPERATIONS: dict[str, Operation] = {
    COUNTS: Operation(
        {200: Said("The counts", FlowCounts)},
        query={
            "flow": {**TEXT, "description": "The flow, by its id or slug"},
            "version": {"type": "integer", "description": "The version; left out: the published one"},
            "since": {**TEXT, "format": "date", "description": "The first day, UTC; left out: a week before `until`"},
            "until": {**TEXT, "format": "date", "description": "The last day, UTC; left out: today"},
            "bot": {**TEXT, "description": "Whose, by its id; may be left out where the project has one bot"},
        }
        | PROJECT,
        text=f"Each turn is counted once, with what it has done. Days are kept for {KEPT_DAYS} days, by whole months.",
    )
}


def handlers(deps: flow_migrations.Deps) -> dict[str, Handler]:
    """By the name of its row."""

    async def counts(request: Request, caller: Caller) -> Response:
        query = request.query_params
        bot = contacts.bot_of(query.get("bot"), caller, deps)
        flows, name = deps.flows_of(bot.id), query.get("flow", "")
        graph = flows.by_slug(name) or flows.current(name)
        if graph is None:
            raise invalid_query("flow", "the bot has no published flow of this id or slug.")
        version = _version(query.get("version"), graph.version)
        since, until = _days(query)
        async with deps.pool.acquire() as connection:
            found = await node_counts.read(connection, graph.flow_id, version, since, until)
            waiting = await node_counts.waiting(connection, graph.flow_id, version)
        about = {"flow_id": graph.flow_id, "version": version, "since": since.isoformat(), "until": until.isoformat()}
        return JSONResponse(about | {"nodes": shown(found, waiting)})

    return {COUNTS: counts}


def _version(given: str | None, published: int) -> int:
    """Raises ProblemError 422."""
    if given is None:
        return published
    if not (given.isascii() and given.isdecimal() and 1 <= int(given[:11]) <= MOST_VERSION):
        raise invalid_query("version", "the number of a version.")
    return int(given)


def _days(query: QueryParams) -> tuple[date, date]:
    """Raises ProblemError 422."""
    until = _day(query, "until") or datetime.now(UTC).date()
    since = _day(query, "since") or max(until, date.min + timedelta(days=7)) - timedelta(days=6)
    if since > until:
        raise invalid_query("since", "a day before `until`, or the same.")
    return since, until


def _day(query: QueryParams, name: str) -> date | None:
    try:
        return date.fromisoformat(query[name]) if name in query else None
    except ValueError:
        raise invalid_query(name, "a day, such as 2026-11-21.") from None


def shown(found: list[Counted], waiting: dict[str, int]) -> list[dict[str, Any]]:
    """The nodes of the answer."""
    nodes: dict[str, dict[str, Any]] = {}
    for id in sorted({*waiting, *(one.node for one in found)}):
        nodes[id] = {"node": id, "reached": 0, "left": {}, "waiting": waiting.get(id, 0)}
        nodes[id] |= {"input_tokens": 0, "output_tokens": 0}
    for one in found:
        node = nodes[one.node]
        if one.times:
            node["left"][one.port] = one.times
        for name in ("reached", "input_tokens", "output_tokens"):
            node[name] += getattr(one, name)
    return list(nodes.values())
