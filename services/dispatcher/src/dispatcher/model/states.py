"""The state machine of a delivery as one table. The SQL in `store/` is tested against it."""

from __future__ import annotations

from typing import Literal, NamedTuple

State = Literal["blocked", "pending", "in_flight", "retrying", "succeeded", "exhausted", "cancelled", "discarded"]
"""blocked: an earlier one of its lane is unfinished, or was sent and is not saved yet: then it may be sent itself. pending: due, never attempted. in_flight: leased. retrying: due at a
time, attempted before (or its first attempt was cut off). The last four are final."""
FINAL: frozenset[State] = frozenset({"succeeded", "exhausted", "cancelled", "discarded"})
UNFINISHED: tuple[State, ...] = ("blocked", "pending", "in_flight", "retrying")

Happening = Literal[
    "taken over", "taken over without room", "taken over behind another", "taken over for a disabled endpoint",
    "claimed when due", "became the head", "succeeded", "retry", "exhausted", "cancelled", "discarded",
    "deferred before any attempt", "deferred", "its partition moved", "its day is dropped", "replayed",
    "taken over for somebody erased", "its contact is erased",
]  # fmt: skip

Writer = Literal[
    "the partition's owner, with its checkpoint",
    "any dispatcher; of a lane the partition's owner",
    "the partition's owner",
    "the lease's holder",
    "retention",
    "the API",
]


class Move(NamedTuple):
    """The state that follows, and who may write it."""

    state: State
    by: Writer


_OWNER: Writer = "the partition's owner, with its checkpoint"
_CLAIM: Writer = "any dispatcher; of a lane the partition's owner"
_HOLDER: Writer = "the lease's holder"

_ENDS: dict[Happening, Move] = {
    "succeeded": Move("succeeded", _HOLDER),
    "retry": Move("retrying", _HOLDER),
    "exhausted": Move("exhausted", _HOLDER),
    "cancelled": Move("cancelled", _HOLDER),
    "discarded": Move("discarded", _HOLDER),
    "deferred before any attempt": Move("pending", _HOLDER),
    "deferred": Move("retrying", _HOLDER),
}
"""What becomes of one that was sent, or was to be; in the stretch of its lane's head it was blocked at that time."""

MOVES: dict[tuple[State | None, Happening], Move] = {
    (None, "taken over"): Move("in_flight", _OWNER),
    (None, "taken over without room"): Move("pending", _OWNER),
    (None, "taken over behind another"): Move("blocked", _OWNER),
    (None, "taken over for a disabled endpoint"): Move("discarded", _OWNER),
    (None, "taken over for somebody erased"): Move("cancelled", _OWNER),
    **{(state, "its contact is erased"): Move("cancelled", _OWNER) for state in UNFINISHED},
    ("pending", "claimed when due"): Move("in_flight", _CLAIM),
    ("retrying", "claimed when due"): Move("in_flight", _CLAIM),
    ("in_flight", "claimed when due"): Move("in_flight", _CLAIM),
    ("blocked", "became the head"): Move("in_flight", "the partition's owner"),
    **{(state, happening): move for state in ("in_flight", "blocked") for happening, move in _ENDS.items()},
    ("in_flight", "its partition moved"): Move("retrying", "the partition's owner"),
    ("blocked", "its partition moved"): Move("retrying", "the partition's owner"),
    **{(state, "its day is dropped"): Move("discarded", "retention") for state in UNFINISHED},
    ("pending", "replayed"): Move("pending", "the API"),
    ("retrying", "replayed"): Move("retrying", "the API"),
    **{(state, "replayed"): Move("pending", "the API") for state in sorted(FINAL)},
}
"""What is not here changes nothing. A row in flight is due when its lease ends. `its partition moved` is about the head of
a lane; a kind that cannot be replayed is not."""
