"""The words of this service. delivery: one event or action for one target; attempt: one HTTP request for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

import orjson

from contracts.actions import ActionAdapter

Kind = Literal["message", "acknowledge", "call", "channel_call", "webhook", "event"]
"""`webhook` is a step's inline URL, `event` a subscription's endpoint; the others are named after their action."""
State = Literal["blocked", "pending", "in_flight", "retrying", "succeeded", "exhausted", "cancelled", "discarded"]
"""blocked: an earlier one of its lane is unfinished. pending: due, never attempted. The last four are final."""
FINAL: frozenset[str] = frozenset({"succeeded", "exhausted", "cancelled", "discarded"})

KIND_OF_ACTION: dict[str, Kind] = {
    "send_message": "message",
    "acknowledge_tap": "acknowledge",
    "call_api": "call",
    "channel_call": "channel_call",
    "post_webhook": "webhook",
}


@dataclass(slots=True)
class Delivery:
    """One row as it is in memory while this process holds its lease; the same from the takeover and from a claim.

    `attempts` counts the one under way. `base` is how many were made before the last replay. `lease_ends` is on the
    monotonic clock, never later than what Postgres holds.
    """

    key: UUID
    day: date
    project_id: str
    kind: Kind
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
    text_id: str = ""
    parsed: Any = None
    """The action (a model of contracts.actions) or the event's body (a dict), once somebody asked for it."""

    @property
    def id(self) -> str:
        if not self.text_id:
            self.text_id = str(self.key)
        return self.text_id

    @property
    def target(self) -> str:
        """The part of `destination` after its kind: an endpoint's, channel's or API call's id, or a host."""
        return self.destination.partition(":")[2]

    def content(self) -> Any:
        """The payload as its reader's model."""
        if self.parsed is None:
            self.parsed = (
                orjson.loads(self.payload) if self.kind == "event" else ActionAdapter.validate_json(self.payload)
            )
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
    healthy: bool = True
    """Says nothing against the destination."""
    took_ms: int = 0
    request: dict[str, Any] | None = None
    """For who waits for a test call: what was sent, without secrets."""

    @property
    def final(self) -> bool:
        return self.outcome in FINAL
