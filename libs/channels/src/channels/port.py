"""The port: what a package brings for its type of channel."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from channels.descriptor import Descriptor
from channels.reading import Reading
from channels.receiving import InboundCall, NotProven, Taken
from channels.sending import Plan, Refusal
from contracts.actions import AcknowledgeTap, SendMessage
from contracts.registry import Channel


class Account(NamedTuple):
    """A channel with its credentials open, by name. For `receive` they are open only if the descriptor says so."""

    channel: Channel
    credentials: Mapping[str, str]

    def __repr__(self) -> str:
        """Without values: it may end in a log or a traceback."""
        return f"Account(channel={self.channel.id!r}, credentials of {sorted(self.credentials)})"


class Platform(ABC):
    """What one platform is told, and what it means. Pure: neither I/O nor a clock, and the same for the same input."""

    __slots__ = ()

    def identity(self, credentials: Mapping[str, str]) -> str | None:
        """The bot's own id at the platform, as far as its credentials tell it."""
        return None

    @abstractmethod
    def receive(self, account: Account, call: InboundCall) -> Taken | NotProven:
        """What a call at the channel's inbound URL brings. Raises nothing but what `call.object()` raises."""

    @abstractmethod
    def send(self, account: Account, message: SendMessage, *, first: bool) -> Plan | Refusal:
        """How the message gets to its person; `first`: on its first attempt. Every attempt of a message has its id."""

    def acknowledge(self, account: Account, tap: AcknowledgeTap) -> Plan | Refusal:
        """How the platform hears that a tap was seen."""
        return Refusal("nothing-to-acknowledge", "This platform does not wait for an answer to a tap.")

    @abstractmethod
    def call(self, account: Account, method: str, params: Mapping[str, Any]) -> Plan | Refusal:
        """One call of a check, with what is secret in it taken from the credentials (`inbound_url` is among them)."""

    @abstractmethod
    def read(self, step: str, status: int, headers: Mapping[str, str], body: bytes) -> Reading:
        """What the answer to that step of a plan means. Raises nothing, whatever the body holds."""


@dataclass(frozen=True, slots=True)
class Connector:
    """One type of channel. Without a platform it is in-house: nothing of it passes the dispatcher."""

    descriptor: Descriptor
    platform: Platform | None = None

    @property
    def in_house(self) -> bool:
        """Whether we speak to its people ourselves: nothing goes through the dispatcher."""
        return self.platform is None
