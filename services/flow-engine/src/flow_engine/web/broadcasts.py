"""Broadcasts: make one, show it with its counts and recipients, pause it, go on, cancel it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Protocol, get_args
from uuid import UUID

import msgspec
import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from contracts.cloudevents import rfc3339
from contracts.ids import derived_id
from contracts.registry import Bot, Channel
from flow_engine.state.broadcasts import Outcome
from flow_engine.state.broadcasts import QuietHours as KeptQuietHours
from flow_engine.store import broadcasts
from flow_engine.store.broadcasts import NewBroadcast as Made
from flow_engine.store.broadcasts import RecipientShown, Shown
from flow_engine.web import contact_changes, contacts, writing
from flow_engine.web.broadcast_models import NewBroadcast
from flowlang.running.bot_flows import BotFlows
from servicekit.storable import moment_of, storable
from servicekit.web.auth import Caller
from servicekit.web.pagination import NO_CURSOR, decode_cursor, page, page_limit
from servicekit.web.problems import ProblemError, not_found
from servicekit.web.requests import invalid_query
from servicekit.web.routes import Handler

LIST = "GET /v1/broadcasts"
MAKE = "POST /v1/broadcasts"
SHOW = "GET /v1/broadcasts/{broadcast}"
RECIPIENTS = "GET /v1/broadcasts/{broadcast}/recipients"
PAUSE = "POST /v1/broadcasts/{broadcast}/pause"
RESUME = "POST /v1/broadcasts/{broadcast}/resume"
CANCEL = "POST /v1/broadcasts/{broadcast}/cancel"
MOST_DATA = 16 * 1024
"""Bytes of `data` as JSON."""
OUTCOMES: tuple[str, ...] = get_args(Outcome)
TURNS = {
    PAUSE: ("paused", ("scheduled", "running")),
    RESUME: ("running", ("paused",)),
    CANCEL: ("cancelled", ("scheduled", "running", "paused")),
}
"""What a broadcast becomes, and from what."""


class Deps(contacts.Deps, Protocol):
    """What these routes need."""

    def channel(self, channel_id: str) -> Channel | None:
        """A channel by id."""
        ...

    def flows_of(self, bot_id: str) -> BotFlows:
        """The published flows of a bot."""
        ...


def handlers(deps: Deps) -> dict[str, Handler]:
    """By the names of their rows."""

    async def list_broadcasts(request: Request, caller: Caller) -> Response:
        query, limit = request.query_params, page_limit(request.query_params.get("limit"))
        bot = contacts.bot_of(query["bot"], caller, deps).id if "bot" in query else None
        async with deps.pool.acquire() as connection:
            found = await broadcasts.page(connection, caller.project_id, bot, _place(query.get("cursor")), limit + 1)
        items, following = page(found, limit, lambda one: (one.created_at.isoformat(), one.id))
        return JSONResponse({"items": [shown(one) for one in items], "next": following})

    async def make(request: Request, caller: Caller) -> Response:
        sent = await request.body()
        new = contact_changes.read(sent, NewBroadcast)
        bot = contacts.bot_of(new.bot, caller, deps, pointer="#/bot")
        asked = writing.asked_by(request, bot.project_id, sent, caller.token_id)
        made = _made(new, asked, bot, deps)
        async with deps.pool.acquire() as connection:
            await broadcasts.make(connection, made)
        found = await _found(deps, caller, made.id)
        if found.digest != made.digest:
            detail = "This Idempotency-Key was used with another broadcast: take a new one."
            raise ProblemError("idempotency-key-reused", 422, "Idempotency-Key reused", detail)
        return JSONResponse(shown(found), 201, headers={"location": f"/v1/broadcasts/{found.id}"})

    async def show(request: Request, caller: Caller) -> Response:
        return JSONResponse(shown(await _found(deps, caller, _id(request))))

    async def recipients(request: Request, caller: Caller) -> Response:
        query, limit = request.query_params, page_limit(request.query_params.get("limit"))
        outcome, found = query.get("outcome"), await _found(deps, caller, _id(request))
        if outcome is not None and outcome not in OUTCOMES:
            raise invalid_query("outcome", f"one of {', '.join(OUTCOMES)}.")
        after = decode_cursor(query.get("cursor"), UUID)
        async with deps.pool.acquire() as connection:
            rows = await broadcasts.recipients(
                connection, found.id, outcome, after[0] if after else broadcasts.FIRST, limit + 1
            )
        items, following = page(rows, limit, lambda one: (one.contact_id,))
        return JSONResponse({"items": [_recipient(found.id, one) for one in items], "next": following})

    return {
        LIST: list_broadcasts, MAKE: make, SHOW: show, RECIPIENTS: recipients,
        **{name: _turning(deps, *turn) for name, turn in TURNS.items()},
    }  # fmt: skip


def _turning(deps: Deps, state: str, before: tuple[str, ...]) -> Callable[[Request, Caller], Awaitable[Response]]:
    async def turn(request: Request, caller: Caller) -> Response:
        id = _id(request)
        await _found(deps, caller, id)
        async with deps.pool.acquire() as connection:
            done = await broadcasts.turn(connection, caller.project_id, id, state, before)
        found = await _found(deps, caller, id)
        if not done and not (found.state == state or (state == "running" and found.state == "scheduled")):
            detail = f"The broadcast is {found.state}: only one that is {' or '.join(before)} can become {state}."
            raise ProblemError("broadcast-state", 409, "Not in this state", detail)
        return JSONResponse(shown(found))

    return turn


def _made(new: NewBroadcast, asked: writing.Asked, bot: Bot, deps: Deps) -> Made:
    """Raises ProblemError 422."""
    flow_id = _flow_of(new, deps.flows_of(bot.id))
    if new.channel_id is not None:
        channel = deps.channel(new.channel_id)
        if channel is None or channel.bot_id != bot.id:
            raise _invalid("#/channel_id", "the bot has no such channel.")
    segment = deps.segment(bot.project_id, new.segment) if new.segment is not None else None
    if new.segment is not None and segment is None:
        raise _invalid("#/segment", "the project has no such segment.")
    variables, quiet = orjson.dumps(new.data), None
    if len(variables) > MOST_DATA or storable(new.data) != new.data:
        raise _invalid("#/data", f"{MOST_DATA} bytes of JSON at most, without NUL characters.")
    if new.quiet_hours is not None:
        told = new.quiet_hours
        quiet = msgspec.json.encode(KeptQuietHours(told.begin, told.end, told.timezone))
    try:
        starts_at, until = new.times(datetime.now(UTC))
    except ValueError as error:
        raise _invalid("#/until", f"{error}.") from error
    id = derived_id("broadcast", asked.event_id) if asked.digest else asked.event_id
    return Made(
        id, bot.project_id, bot.id, flow_id, new.entry, variables, new.channel_id, segment.id if segment else None,
        segment.filter if segment else None, new.rate, quiet, starts_at, until, asked.digest,
    )  # fmt: skip


def _flow_of(new: NewBroadcast, flows: BotFlows) -> str:
    """The id of the flow that is meant. Raises ProblemError 422 where it could not begin as it is published now."""
    graph = flows.by_slug(new.flow) or flows.current(new.flow)
    if graph is None:
        raise _invalid("#/flow", "the bot has no published flow of this id or slug.")
    if new.entry is None:
        return graph.flow_id
    trigger = graph.triggers.get(new.entry)
    if trigger is None:
        raise _invalid("#/entry", "the published version of the flow has no such trigger.")
    if wrong := trigger.matcher.wrong_variables(new.data):
        raise _invalid("#/data", "; ".join(wrong) + ".")
    return graph.flow_id


def _invalid(pointer: str, detail: str) -> ProblemError:
    errors = [{"pointer": pointer, "detail": detail}]
    return ProblemError("invalid", 422, "Invalid request", f"{pointer}: {detail}", errors=errors)


async def _found(deps: Deps, caller: Caller, id: str) -> Shown:
    """Raises ProblemError 404."""
    async with deps.pool.acquire() as connection:
        found = await broadcasts.find(connection, caller.project_id, id)
    if found is None:
        raise not_found("The broadcast")
    return found


def _id(request: Request) -> str:
    try:
        return str(UUID(request.path_params["broadcast"]))
    except ValueError:
        raise not_found("The broadcast") from None


def _place(cursor: str | None) -> tuple[datetime, str] | None:
    key = decode_cursor(cursor, str, UUID)
    try:
        return None if key is None else (moment_of(key[0]), key[1])
    except ValueError:
        raise invalid_query("cursor", NO_CURSOR) from None


def shown(found: Shown) -> dict[str, Any]:
    """The answer."""
    by_outcome: dict[str, int] = dict.fromkeys(("started", "skipped", "failed", "cancelled"), 0)
    reasons: dict[str, dict[str, int]] = {}
    for outcome, reason, count in found.settled:
        by_outcome[outcome] += count
        if reason:
            reasons.setdefault(outcome, {})[reason] = count
    counts = {"recipients": found.recipients, "waiting": found.waiting, "sending": found.sending, **by_outcome}
    quiet = found.quiet_hours
    return {
        "id": found.id,
        "bot_id": found.bot_id,
        "flow_id": found.flow_id,
        "entry": found.entry,
        "data": orjson.loads(found.variables),
        "segment_id": found.segment_id,
        "channel_id": found.channel_id,
        "rate": found.rate,
        "quiet_hours": quiet and {"from": quiet.begin, "to": quiet.end, "timezone": quiet.timezone},
        "state": found.state,
        "starts_at": rfc3339(found.starts_at),
        "until": rfc3339(found.until),
        "created_at": rfc3339(found.created_at),
        "started_at": rfc3339(found.started_at) if found.started_at else None,
        "ended_at": rfc3339(found.ended_at) if found.ended_at else None,
        "moment": rfc3339(found.moment) if found.moment else None,
        "walked": found.walked,
        "counts": counts | {"reasons": reasons},
    }


def _recipient(id: str, one: RecipientShown) -> dict[str, Any]:
    return {
        "contact_id": one.contact_id,
        "outcome": one.outcome,
        "reason": one.reason,
        "event_id": derived_id("broadcast", id, one.contact_id),
        "due": rfc3339(one.due) if one.due else None,
        "at": rfc3339(one.at),
    }
