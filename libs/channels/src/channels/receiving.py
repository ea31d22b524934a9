"""What a platform tells us: a call at the channel's inbound URL, and what is made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from contracts.inbound import InboundBase


class InboundCall(NamedTuple):
    """One HTTP request, read whole. `headers` by lower-case name; of a repeated query name the last value counts.

    `body` is as it came, for signatures. `received_at` is RFC 3339. `parse` is the door's JSON parser with its bounds.
    """

    method: str
    query: Mapping[str, str]
    headers: Mapping[bytes, bytes]
    body: bytes
    received_at: str
    parse: Callable[[bytes], dict[str, Any]]

    def header(self, name: str) -> str:
        """A header's value; '' when it did not come."""
        return self.headers.get(name.encode(), b"").decode("latin-1")

    def object(self) -> dict[str, Any]:
        """The JSON object that the body holds. What `parse` raises for another body is the door's answer: let it pass."""
        return self.parse(self.body)


class Reply(NamedTuple):
    """What the platform wants to hear once Kafka has its events: some want the literal `ok`, or their challenge back."""

    status: int = 200
    body: bytes = b"{}"
    media_type: str = "application/json"


class Event(NamedTuple):
    """`id` follows from the channel and the platform's own id, so that a call that is repeated brings the same ids."""

    id: str
    record: InboundBase


class Taken(NamedTuple):
    """The call is the platform's. No events: it concerns no conversation (a handshake is one such).

    `unread`: why a part of it could not be read; the body is parked with that, and not asked for again.
    """

    events: tuple[Event, ...] = ()
    reply: Reply = Reply()
    unread: str | None = None


class NotProven(NamedTuple):
    """The call does not prove that it is the platform's: nothing is taken from it. `detail` says what is wanted."""

    detail: str


UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)
"""What reading a platform's object raises when it is not as the platform documents it."""


def unread(error: Exception, reply: Reply) -> Taken:
    """A call that could not be read: taken, because the platform would bring it again and hold back what came later."""
    return Taken(reply=reply, unread=f"{type(error).__name__}: {error}")
