"""Flow migrations: count beforehand what one would do, begin one, show how far it is, list them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Literal, Protocol
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from contracts.cloudevents import rfc3339
from contracts.ids import new_id
from flow_engine.errors import UnknownVersion
from flow_engine.store import flow_migrations as migrations
from flow_engine.store.flow_migrations import Counted, Shown
from flow_engine.web import contact_changes, contacts
from flowlang.graph import Graph
from flowlang.running.bot_flows import BotFlows
from flowlang.running.migration import REASONS, Place, Stays, moved, why_not
from servicekit.loop.batches import Connection
from servicekit.web.auth import Caller
from servicekit.web.openapi import PAGE, PROJECT, TEXT, Operation, Said
from servicekit.web.pagination import decode_cursor, page, page_limit
from servicekit.web.problems import ProblemError, not_found
from servicekit.web.routes import Handler

LIST = "GET /v1/flow-migrations"
MAKE = "POST /v1/flow-migrations"
SHOW = "GET /v1/flow-migrations/{migration}"


class Deps(contacts.Deps, Protocol):
    """What these routes need."""

    def flows_of(self, bot_id: str) -> BotFlows:
        """The published flows of a bot."""
        ...


class NewMigration(BaseModel):
    """Whoever is in the middle of a flow goes on in its published version."""

    model_config = ConfigDict(extra="forbid")

    bot: str | None = None
    """Whose flow, by the bot's id; may be left out where the project has one bot."""
    flow: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    """The flow, by its id or slug; it has to be published."""
    to: Annotated[int, Field(ge=1, le=2**31 - 2)]
    """The version that is published now: another one is refused, since new conversations would begin elsewhere."""
    dry_run: bool = False
    """Only count what it would do."""


class PlaceCount(BaseModel):
    """Conversations that are, or were, at one node of one version."""

    version: Annotated[int, Field(examples=[4])]
    """The version of the flow."""
    node: Annotated[str, Field(examples=["ask_lecture"])]
    """Where they wait, or the node of this flow that has called the one that they wait in."""
    conversations: Annotated[int, Field(examples=[120])]
    """How many."""
    outcome: Literal["moved", "skipped"]
    """What became of them, or would."""
    reason: Annotated[str | None, Field(examples=["node-gone"])]
    """Why they stay on their version."""


class Counts(BaseModel):
    """How many conversations."""

    found: Annotated[int, Field(examples=[1200])]
    """In another version; while it is running, so far."""
    moved: Annotated[int, Field(examples=[1150])]
    """They go on in the new version."""
    skipped: Annotated[int, Field(examples=[40])]
    """They stay on their version, as they do not fit."""
    gone: Annotated[int, Field(examples=[3])]
    """When their turn came they were nowhere in another version any more."""
    waiting: Annotated[int, Field(examples=[7])]
    """Their turn has not come: a conversation that a failed event holds waits until it is released."""


class ListedMigration(BaseModel):
    """Conversations in the middle of a flow go on in another version of it, by the ids of its nodes."""

    id: Annotated[str | None, Field(examples=["0198f0c2-6f5e-7a51-8a2e-0d8f8c9b1e09"])]
    """Null of a `dry_run`."""
    flow_id: str
    to: Annotated[int, Field(examples=[5])]
    """The version that they are taken to."""
    state: Literal["dry_run", "running", "completed", "superseded"]
    """superseded: another version was published before it was over."""
    created_at: str | None
    ended_at: Annotated[str | None, Field(examples=["2026-11-21T00:02:00.000Z"])]
    """When all had been found, and what waited had moved or was waited for no more."""
    counts: Counts
    """How many conversations."""


class FlowMigration(ListedMigration):
    """A migration, with where conversations were."""

    places: list[PlaceCount]
    """Where they were, and what became of them."""


class FlowMigrations(BaseModel):
    """One page."""

    items: list[ListedMigration]
    next: str | None


OPERATIONS: dict[str, Operation] = {
    MAKE: Operation(
        {
            200: Said("What it would do: with `dry_run`", FlowMigration),
            201: Said("The migration, which has begun, or had before", FlowMigration, headers=("Location",)),
        },
        NewMigration,
        query=PROJECT,
        text="A conversation moves at its place among its events: what comes before is taken by the old version, what comes after by the"
        " new one. Why one stays: " + "; ".join(f"`{reason}`: {text}" for reason, text in REASONS.items()) + ".",
    ),
    LIST: Operation(
        {200: Said("The migrations", FlowMigrations)},
        query=PAGE | {"flow": {**TEXT, "description": "Only those of this flow, by its id"}} | PROJECT,
        text="The newest first, without `places`. A `dry_run` is not among them.",
    ),
    SHOW: Operation({200: Said("The migration", FlowMigration)}, query=PROJECT),
}


def handlers(deps: Deps) -> dict[str, Handler]:
    """By the names of their rows."""

    async def make(request: Request, caller: Caller) -> Response:
        new = contact_changes.read(await request.body(), NewMigration)
        bot = contacts.bot_of(new.bot, caller, deps, pointer="#/bot")
        flows = deps.flows_of(bot.id)
        graph = _published(new, flows)
        async with deps.pool.acquire() as connection:
            if new.dry_run:
                return JSONResponse(_planned(graph, await _plan(connection, graph, flows)))
            id = await migrations.make(connection, new_id(), bot.project_id, bot.id, graph.flow_id, graph.version)
        found = await _found(deps, bot.project_id, id)
        return JSONResponse(found, 201, headers={"location": f"/v1/flow-migrations/{id}"})

    async def list_migrations(request: Request, caller: Caller) -> Response:
        query, limit = request.query_params, page_limit(request.query_params.get("limit"))
        after = decode_cursor(query.get("cursor"), UUID)
        async with deps.pool.acquire() as connection:
            found = await migrations.page(
                connection, caller.project_id, query.get("flow"), after[0] if after else None, limit + 1
            )
        items, following = page(found, limit, lambda one: (one[0].id,))
        return JSONResponse({"items": [_about(*one) for one in items], "next": following})

    async def show(request: Request, caller: Caller) -> Response:
        try:
            id = str(UUID(request.path_params["migration"]))
        except ValueError:
            raise not_found("The migration") from None
        return JSONResponse(await _found(deps, caller.project_id, id))

    return {LIST: list_migrations, MAKE: make, SHOW: show}


def _published(new: NewMigration, flows: BotFlows) -> Graph:
    """Raises ProblemError 422."""
    graph = flows.by_slug(new.flow) or flows.current(new.flow)
    if graph is None:
        raise _invalid("#/flow", "the bot has no published flow of this id or slug.")
    if graph.version != new.to:
        raise _invalid("#/to", f"version {graph.version} of the flow is published: publish version {new.to} first.")
    return graph


def _invalid(pointer: str, detail: str) -> ProblemError:
    errors = [{"pointer": pointer, "detail": detail}]
    return ProblemError("invalid", 422, "Invalid request", f"{pointer}: {detail}", errors=errors)


async def _plan(connection: Connection, to: Graph, flows: BotFlows) -> list[Counted]:
    """What became of all if it happened now."""
    counts: Counter[tuple[str, int, str, str]] = Counter()
    look_up = partial(_known, flows)
    for version, node, conversations in await migrations.standing(connection, to.flow_id, to.version):
        reason = why_not(to, Place(version, node), look_up)
        counts["skipped" if reason else "moved", version, node, reason or ""] += conversations
        await asyncio.sleep(0)  # There may be as many as versions have nodes.
    async with connection.transaction(readonly=True):
        async for conversation in migrations.callers(connection, to.flow_id):
            found = moved(conversation, to, look_up)
            if found is not None:
                reason = found.reason if isinstance(found, Stays) else None
                counts["skipped" if reason else "moved", *found.place, reason or ""] += 1
    return [Counted(*place, conversations) for place, conversations in sorted(counts.items())]


def _known(flows: BotFlows, flow_id: str, version: int) -> Graph | None:
    """A version that the registry does not show here is as good as gone for a count."""
    try:
        return flows.graph(flow_id, version)
    except UnknownVersion:
        return None


async def _found(deps: Deps, project_id: str, id: str) -> dict[str, Any]:
    """The answer. Raises ProblemError 404."""
    async with deps.pool.acquire() as connection:
        found = await migrations.find(connection, project_id, id)
    if found is None:
        raise not_found("The migration")
    migration, counts = found
    return _about(migration, _by_outcome(counts)) | {"places": _places(counts)}


def _planned(to: Graph, counts: list[Counted]) -> dict[str, Any]:
    about = {
        "id": None,
        "flow_id": to.flow_id,
        "to": to.version,
        "state": "dry_run",
        "created_at": None,
        "ended_at": None,
    }
    found = sum(one.conversations for one in counts)
    return {**about, "counts": _counts(found, _by_outcome(counts)), "places": _places(counts)}


def _about(migration: Shown, outcomes: Mapping[str, int]) -> dict[str, Any]:
    return {
        "id": migration.id,
        "flow_id": migration.flow_id,
        "to": migration.to_version,
        "state": migration.state,
        "created_at": rfc3339(migration.created_at),
        "ended_at": rfc3339(migration.ended_at) if migration.ended_at else None,
        "counts": _counts(migration.found, outcomes),
    }


def _by_outcome(counts: Sequence[Counted]) -> Mapping[str, int]:
    found: Counter[str] = Counter()
    for one in counts:
        found[one.outcome] += one.conversations
    return found


def _counts(found: int, outcomes: Mapping[str, int]) -> dict[str, int]:
    told = {outcome: outcomes.get(outcome, 0) for outcome in ("moved", "skipped", "gone")}
    return {"found": found, **told, "waiting": max(0, found - sum(told.values()))}


def _places(counts: Sequence[Counted]) -> list[dict[str, Any]]:
    return [
        {
            "version": one.version,
            "node": one.node,
            "conversations": one.conversations,
            "outcome": one.outcome,
            "reason": one.reason or None,
        }
        for one in counts
        if one.outcome != "gone"
    ]
