"""A delivery on its way, what one attempt came to, and the columns of the table of delivery kinds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

import orjson

from contracts.actions import ActionBase
from dispatcher.errors import NotYetKnown
from dispatcher.model.catalogue import Catalogue
from dispatcher.model.retry_schedule import ONCE, Schedule
from dispatcher.model.states import FINAL, State
from dispatcher.requests import Reading, Request
from servicekit.http_client.guarded_http import Answer
from servicekit.kafka.records import Outgoing

OPENS_AFTER = 5
"""Failures in a row that open a destination's circuit."""


@dataclass(slots=True)
class Delivery:
    """One row as it is in memory while this process holds its lease; the same from the takeover and from a claim.

    `attempts` counts the one under way. `base` is how many were made before the last replay. `lease_ends` is on the
    boot clock, never later than the database's. `lane` and `seq` (its place there) go together.
    """

    key: UUID
    day: date
    project_id: str
    kind: DeliveryKind
    queue_id: int
    destination: str
    source: str
    payload: bytes
    lane: str | None = None
    seq: int | None = None
    state: State = "in_flight"
    attempts: int = 1
    base: int = 0
    lease: UUID | None = None
    lease_ends: float = 0.0
    expires_at: datetime | None = None
    created_at: datetime | None = None
    conversation: str | None = None
    contact_id: str | None = None
    event_type: str | None = None
    event_id: str | None = None
    traceparent: str | None = None
    hops: int = 0
    error: str | None = None
    superseded: bool = False
    """It is not to be sent any more."""
    cut_off: bool = False
    """Whoever had it before has not said what came of it: it may have been sent."""
    following: tuple[Delivery, ...] = ()
    """The rest of its stretch: what of its lane is sent right behind it, under the same lease, while it succeeds."""
    text_id: str = ""
    parsed: Any = None
    """The action (a model) or the event's body (a dict), once somebody asked for it."""

    @property
    def id(self) -> str:
        if not self.text_id:
            self.text_id = str(self.key)
        return self.text_id

    @property
    def target(self) -> str:
        """The part of `destination` after its prefix: an endpoint's, channel's or API call's id, or a host."""
        return self.destination.partition(":")[2]

    def content(self) -> Any:
        """The payload as its reader's model."""
        if self.parsed is None:
            self.parsed = self.kind.parse(self.payload)
        return self.parsed


class Attempt(NamedTuple):
    """One request that was made. `request` and `response` are JSON of what was sent and received, without secrets."""

    number: int
    started_at: datetime
    took_ms: int
    status: int | None
    request: bytes
    response: bytes | None


Outcome = Literal["succeeded", "retry", "exhausted", "cancelled", "discarded", "deferred"]
"""deferred: nothing was tried, later again."""


@dataclass(slots=True)
class Result:
    """What became of a delivery this time.

    `delay` (seconds) goes with retry and deferred. `code` is the word to count by, `detail` a sentence for people.
    `pause` seconds: the whole destination waits. `answer` is an API's body, `provider_message_id` a channel's.
    """

    delivery: Delivery
    outcome: Outcome
    code: str | None = None
    detail: str | None = None
    status: int | None = None
    delay: float | None = None
    attempt: Attempt | None = None
    pause: float | None = None
    pause_reason: str | None = None
    answer: Any = None
    provider_message_id: str | None = None
    unreachable: Literal["blocked", "unreachable", "not_in_chat"] | None = None
    chat_waits: float | None = None
    chat_or_bot: bool = False
    """As in the Reading of the answer."""
    destination_failed: bool = False
    """It speaks against the destination, and not only against this delivery."""
    circuit: float | None = None
    """Seconds for which the attempt opened its destination's circuit; 0: it closed it."""
    took_ms: int = 0
    request: dict[str, Any] | None = None
    """For who waits for a test call: what was sent, without secrets."""
    secrets: tuple[str, ...] = ()
    """What the answer must not show to who waits for a test call."""
    goes_on: bool = False
    """The next of its stretch is sent without waiting until this is saved."""

    @property
    def final(self) -> bool:
        return self.outcome in FINAL


@dataclass(frozen=True, slots=True)
class Limits:
    """What a destination takes over all replicas: requests at once, and requests a second (None: any)."""

    in_flight: int
    rate: float | None = None


FEW = Limits(4)
"""For a destination of which nothing is known."""


class SendContext(NamedTuple):
    """What requests are made from, beside the delivery. `render(source, event)` is a template's text; it raises
    NotRendered, which the sender answers by having it rendered. `longest`: no request takes longer, seconds."""

    catalogue: Catalogue
    render: Callable[[str, Mapping[str, Any]], str]
    longest: float


def _never(action: Any, now: datetime) -> None:
    return None


def _unordered(action: Any) -> None:
    return None


def _few(target: str, catalogue: Catalogue) -> Limits:
    return FEW


def _the_kinds_schedule(delivery: Delivery, context: SendContext) -> None:
    return None


def _always(delivery: Delivery, context: SendContext) -> bool:
    return True


def _as_it_is(payload: bytes) -> bytes:
    return payload


def _nothing(result: Result, now: str) -> list[Outgoing]:
    return []


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DeliveryKind:
    """One row of the table of delivery kinds: everything that differs between deliveries of one kind and another.

    `name` is what rows of PostgreSQL say, for ever. All functions are pure but for the catalogue, which is in memory.
    """

    name: str
    action: type[ActionBase] | None
    """The record that makes a delivery; None: an event, one delivery for each endpoint that chose it."""
    prefix: str
    """Of its destinations: what comes before the colon. Kinds that share one share `limits`, too."""
    target: Callable[[Any], str]
    """The action -> its destination's name after the colon. Everything there waits together, so two projects never share
    one: it is an entity's id, or has the project in it."""
    request: Callable[[Delivery, SendContext], Request]
    """What an attempt sends. Raises NoRequest when there is nothing to send any more, NotYetKnown when the registry is
    behind, ChannelPaused when it has to wait for a change of its channel."""
    read: Callable[[Delivery, Request, Answer, SendContext], Reading]
    """What the answer means."""
    body_of: Callable[[bytes], bytes] = _as_it_is
    """A row's payload -> the body of those of its requests that are made of nothing else: the log does not keep it twice."""
    limits: Callable[[str, Catalogue], Limits] = _few
    """(target, catalogue) -> what the destination takes."""
    lane: Callable[[Any], tuple[str, int] | None] = _unordered
    """The action -> its lane and its place there."""
    expires: Callable[[Any, datetime], datetime | None] = _never
    """(action, the time it is taken over) -> when it is given up; None: at the end of its schedule."""
    schedule: Schedule = ONCE
    own_delays: Callable[[Delivery, SendContext], tuple[int, ...] | None] = _the_kinds_schedule
    """The destination's own delays in place of the schedule's."""
    repeatable: Callable[[Delivery, SendContext], bool] = _always
    """Whether its request may be sent again although an answer to the last one was lost."""
    stretch: int = 1
    """How many of a lane are leased together and sent one after the other, each once the one before it has succeeded but
    before that is saved: so many may be sent again after a crash."""
    batched: bool = False
    """No conversation and no caller waits for its outcome: unless its lane does, it may wait to be saved with others."""
    answered: bool = False
    """Somebody may wait for its answer, and is shown the request, too."""
    report: Callable[[Result, str], list[Outgoing]] = _nothing
    """(final result, now in RFC 3339) -> the records that tell of it."""
    dropped: Callable[[Result, str], list[Outgoing]] = _nothing
    """The same for one that was discarded because it outlived the time that deliveries are kept."""
    owner_warned: bool = False
    """Its destination is an endpoint whose owner hears when it fails for long, and which is switched off in the end."""
    not_replayable: str | None = None
    """Why it cannot be ordered again from the log, a sentence; None: it can."""

    def parse(self, payload: bytes) -> Any:
        """A row's payload -> the action's model, or the event's body as a dict."""
        if self.action is None:
            return orjson.loads(payload)
        return self.action.__pydantic_validator__.validate_json(payload)


def unknown_kind(name: str) -> DeliveryKind:
    """For a row of a kind that this version does not know, as after a downgrade: it waits for a version that does."""

    def later(*_: Any) -> Any:
        raise NotYetKnown(f"delivery kind {name}")

    return DeliveryKind(
        name=name,
        action=None,
        prefix="",
        target=later,
        request=later,
        read=later,
        not_replayable="This version does not know its kind.",
    )
