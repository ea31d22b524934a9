"""The shapes of rows that statements take, and deliveries as those rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple
from uuid import UUID

from dispatcher.model.delivery import Delivery, Result
from dispatcher.model.states import MOVES, Happening, State
from servicekit.columns import Columns

INSERTED_BYTES = 8 * 1024 * 1024
"""Of payloads that one statement inserts."""


class NewRow(NamedTuple):
    """A delivery to be inserted. `place`: how many of the batch stand before it in its lane; None: none.

    `state` None: in_flight. What is usual is None, because a column without any value costs nothing.
    """

    id: UUID
    day: date
    project_id: str
    kind: str
    queue_id: int
    source: str
    lane: str | None
    seq: int | None
    place: int | None
    state: State | None
    expires_at: datetime | None
    conversation: str | None
    contact_id: str | None
    event_type: str | None
    event_id: str | None
    traceparent: str | None
    hops: int | None
    error: str | None
    payload: bytes


class ResultRow(NamedTuple):
    """What becomes of a delivery under `lease`. From `started_at` on: its attempt; `request` None: none is to be listed."""

    id: UUID
    day: date
    lease: UUID | None
    state: State
    attempts: int
    detail: str | None
    delay: float | None
    started_at: datetime | None
    took_ms: int | None
    status: int | None
    code: str | None
    request: bytes | None
    response: bytes | None


NEW = Columns(
    NewRow,
    "uuid date text text int text text bigint int text timestamptz text text text text text smallint text bytea",
)
RESULT = Columns(ResultRow, "uuid date uuid text smallint text float8 timestamptz int smallint text bytea bytea")


def new_rows(deliveries: Sequence[Delivery]) -> list[NewRow]:
    """A batch to be taken over."""
    places: dict[str, int] = {}
    return [_new_row(each, _place(each, places)) for each in deliveries]


def portions(rows: Sequence[NewRow]) -> Iterator[Sequence[NewRow]]:
    """The rows as statements take them: their payloads come to INSERTED_BYTES, or it is a single larger one.

    In memory all rows of an event share its bytes; a statement has them once for each row, and an event may have hundreds.
    """
    begun = size = 0
    for at, row in enumerate(rows):
        if at > begun and size + len(row.payload) > INSERTED_BYTES:
            yield rows[begun:at]
            begun, size = at, 0
        size += len(row.payload)
    if rows:
        yield rows[begun:]


def _place(delivery: Delivery, places: dict[str, int]) -> int:
    if delivery.lane is None or delivery.state == "discarded":
        return 0
    place = places.get(delivery.lane, 0)
    places[delivery.lane] = place + 1
    return place


def _new_row(one: Delivery, place: int) -> NewRow:
    state = None if one.state == "in_flight" else one.state
    return NewRow(
        one.key, one.day, one.project_id, one.kind.name, one.queue_id, one.source, one.lane, one.seq, place or None,
        state, one.expires_at, one.conversation, one.contact_id, one.event_type, one.event_id, one.traceparent,
        one.hops or None, one.error, one.payload,
    )  # fmt: skip


def heads_of_stretches(leased: Sequence[Delivery], places: Sequence[int]) -> list[Delivery]:
    """The first deliveries of lanes with those behind them as their `following`, from all of them in the order of lane and place.

    One whose predecessor is not among them is left out: somebody else has that one, and decides what comes after it.
    """
    heads, stretch = list[Delivery](), list[Delivery]()
    for each, place in zip(leased, places, strict=True):
        if place == 1:
            stretch = [each]
            heads.append(each)
        elif stretch and stretch[0].lane == each.lane and place == len(stretch) + 1:
            each.attempts += 1  # In the database it counts once it is recorded.
            stretch.append(each)
            stretch[0].following += (each,)
    return heads


def result_row(one: Result) -> ResultRow:
    """An outcome to be recorded."""
    delivery, made = one.delivery, one.attempt
    attempts = delivery.attempts - (one.outcome == "deferred")
    ended = delivery.key, delivery.day, delivery.lease, state_after(one), attempts, _text(one.detail), one.delay
    if made is None and one.outcome == "deferred":
        return ResultRow(*ended, None, None, None, one.code, None, None)
    if made is None:  # Refused before anything was sent: it counts, so the log shows it, with an empty request.
        return ResultRow(*ended, datetime.now(UTC), 0, None, one.code, b"{}", None)
    return ResultRow(*ended, made.started_at, made.took_ms, made.status, one.code, made.request, made.response)


def state_after(result: Result) -> State:
    """The row's state once the result is recorded."""
    happening: Happening = result.outcome
    if happening == "deferred" and result.delivery.attempts <= 1:
        happening = "deferred before any attempt"
    return MOVES["in_flight", happening].state


def _text(detail: str | None) -> str | None:
    """A receiver's words as PostgreSQL can keep them."""
    return None if detail is None else detail.replace("\x00", "")[:1000]
