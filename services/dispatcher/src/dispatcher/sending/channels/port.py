"""What a channel's module gives. Pure: the token is put into the URL here, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from contracts.actions import AcknowledgeTap, SendMessage
from contracts.registry import Channel as ChannelEntity
from dispatcher.requests import Reading, Request


@dataclass(frozen=True, slots=True)
class Account:
    """A channel with its credentials open."""

    entity: ChannelEntity
    credentials: Mapping[str, Any]
    timeout: float


@dataclass(frozen=True, slots=True)
class Channel:
    """`message(account, action, first)`: the request for a message; `first` on its first attempt.

    `in_flight` requests of one bot at once, `rate` a second, both over all replicas. Requests raise NoRequest.
    """

    message: Callable[[Account, SendMessage, bool], Request]
    acknowledge: Callable[[Account, AcknowledgeTap], Request]
    method: Callable[[Account, str, Mapping[str, Any]], Request]
    read: Callable[[int, bytes], Reading]
    moved: Callable[[SendMessage, Reading], SendMessage]
    in_flight: int
    rate: float
