"""What an operator does about held conversations: list and show them, release them, discard what waits in them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Protocol
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from contracts.cloudevents import TYPE_PREFIX, rfc3339, rfc3339_ms
from contracts.ids import split_conversation_key
from flow_engine.batch.parking import MOST_HELD, redrive
from flow_engine.store.port import ConversationStore, HeldConversation, HeldEvent
from servicekit.kafka.publisher import NotAcknowledged, Publisher
from servicekit.web.auth import Caller
from servicekit.web.pagination import decode_cursor, page, page_limit
from servicekit.web.problems import ProblemError, not_found, unavailable
from servicekit.web.requests import parse_json
from servicekit.web.routes import Handler

LIST = "GET /v1/held"
SHOW = "GET /v1/held/{conversation}"
RELEASE = "POST /v1/held/{conversation}/release"
DISCARD = "POST /v1/held/{conversation}/discard"
VALUE_SHOWN = 4096
"""Characters of an event that are shown."""
LEFT = "They are discarded. Kafka did not take that what has come since is applied: release the conversation if it is still held."


class Discard(BaseModel):
    """Which events: those at these positions, or `all` that wait."""

    model_config = ConfigDict(extra="forbid")

    positions: Annotated[list[Annotated[int, Field(ge=0, lt=2**63)]], Field(max_length=MOST_HELD + 1)] | Literal["all"]
    """The places of the events to forget, as the list of what waits has them; or `all`."""


class Deps(Protocol):
    """What these routes need."""

    @property
    def store(self) -> ConversationStore:
        """What is kept. Raises ProblemError 503 while PostgreSQL was never there."""
        ...

    @property
    def publisher(self) -> Publisher:
        """How a redrive is written."""
        ...

    def project_of(self, bot_id: str) -> str | None:
        """Whose bot it is; None for one that is not known any more."""
        ...


def handlers(deps: Deps) -> dict[str, Handler]:
    """By the names of their rows."""

    async def list_held(request: Request, caller: Caller) -> Response:
        limit = page_limit(request.query_params.get("limit"))
        after = decode_cursor(request.query_params.get("cursor"), str)
        found = await deps.store.held_conversations(after[0] if after else None, limit + 1)
        shown, following = page(found, limit, lambda held: (held.conversation,))
        return JSONResponse({"items": [_conversation(held, deps) for held in shown], "next": following})

    async def show(request: Request, caller: Caller) -> Response:
        held = await _held(request, deps)
        limit = page_limit(request.query_params.get("limit"))
        after = decode_cursor(request.query_params.get("cursor"), int)
        found = await deps.store.held_events(held.conversation, after[0] if after else None, limit + 1)
        shown, following = page(found, limit, lambda event: (event.position,))
        events = {"items": [_event(event) for event in shown], "next": following}
        return JSONResponse(_conversation(held, deps) | events)

    async def release(request: Request, caller: Caller) -> Response:
        held = await _held(request, deps)
        await _have_applied(held, deps, "Kafka did not take the release.")
        return JSONResponse(_conversation(held, deps), status_code=202)

    async def discard(request: Request, caller: Caller) -> Response:
        held, positions = await _held(request, deps), _positions(await request.body())
        count = await deps.store.discard_held(held.conversation, positions)
        if positions is None or not await deps.store.held_events(held.conversation, None, 1):
            # A batch that was loaded before may put an event behind those that are gone, where nobody would look for it.
            await _have_applied(held, deps, LEFT)
        return JSONResponse({"discarded": count})

    return {LIST: list_held, SHOW: show, RELEASE: release, DISCARD: discard}


async def _held(request: Request, deps: Deps) -> HeldConversation:
    """The conversation that the path names. Raises ProblemError 404 for one in which nothing waits."""
    text = request.path_params["conversation"]
    try:
        id = str(UUID(text))
    except ValueError:
        raise not_found("The held conversation") from None
    before = str(UUID(int=max(0, UUID(id).int - 1)))
    found = await deps.store.held_conversations(before, 1)
    if not found or found[0].conversation != id:
        raise not_found("The held conversation")
    return found[0]


async def _have_applied(held: HeldConversation, deps: Deps, refusal: str) -> None:
    """Have all applied that waits when the record is read. Raises ProblemError 503."""
    try:
        await deps.publisher.publish(redrive(held.key, deps.project_of(split_conversation_key(held.key)[0]) or ""))
    except NotAcknowledged as error:
        raise unavailable(refusal) from error


def _positions(body: bytes) -> list[int] | None:
    """Raises ProblemError 422 for a body that is none."""
    try:
        positions = Discard.model_validate(parse_json(body)).positions
    except ValidationError as error:
        raise ProblemError(
            "invalid", 422, "Invalid request", 'Send {"positions": [17]}, or {"positions": "all"}.'
        ) from error
    return None if positions == "all" else positions


def _conversation(held: HeldConversation, deps: Deps) -> dict[str, Any]:
    bot_id, channel_id, peer_id = split_conversation_key(held.key)
    return {
        "conversation": held.conversation,
        "project_id": deps.project_of(bot_id),
        "bot_id": bot_id,
        "channel_id": channel_id,
        "peer_id": peer_id,
        "events": held.events,
        "since": rfc3339(held.since),
        "error": held.error,
    }


def _event(event: HeldEvent) -> dict[str, Any]:
    headers = {name: (value or b"").decode(errors="replace") for name, value in event.headers}
    return {
        "position": event.position,
        "event_id": headers.get("ce_id"),
        "kind": headers.get("ce_type", "").removeprefix(f"{TYPE_PREFIX}inbound."),
        "at": rfc3339_ms(event.record_ms),
        "held_at": rfc3339(event.held_at),
        "error": event.error,
        "value": (event.value or b"").decode(errors="replace")[:VALUE_SHOWN],
    }
