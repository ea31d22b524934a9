"""DispatcherError
Unreadable      the record can never be understood: dead-letter topic, with `code`
NoRequest       a delivery ends without a request: its target is gone, switched off, or can never take it
LeaseLost       the lease ran out, or the lane is another's: nothing was sent, later, no attempt counted
ChannelPaused   by a user, or because its token was refused: what it has to send waits, no attempt counted
NotYetKnown     what a delivery needs (an entity of the registry, its view) is not here yet: later, no attempt counted
"""

from __future__ import annotations

from typing import Literal


class DispatcherError(Exception):
    """Base of this service's own errors. `code` is the word to count by."""

    code = "internal"


class Unreadable(DispatcherError):
    """`code` is a word of contracts.dlq.ERROR_CODE."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class NoRequest(DispatcherError):
    """`outcome` is final: cancelled, discarded or exhausted; `code` the word to count by."""

    def __init__(self, outcome: Literal["cancelled", "discarded", "exhausted"], code: str, message: str) -> None:
        super().__init__(message)
        self.outcome, self.code = outcome, code


class LeaseLost(DispatcherError):
    """The lease ran out, or the lane is another's, before the socket write: nothing was sent (guarantees.md 3.1)."""

    code = "lease-lost"


class ChannelPaused(DispatcherError):
    """Only a change of the channel lets it go on."""

    code = "channel-paused"


class NotYetKnown(DispatcherError):
    """Unknown is not deleted: only a tombstone ends a delivery (guarantees.md 7.2)."""

    code = "not-yet-known"
