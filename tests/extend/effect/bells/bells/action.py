"""The record between the engine and the dispatcher."""

from __future__ import annotations

from typing import Literal

from contracts.actions import ActionBase


class RingBell(ActionBase):
    """Ring the bell of a house, so many times. The answer goes back to `conversation` as CallResult with the same `wait`."""

    kind: Literal["ring_bell"] = "ring_bell"
    house: str
    times: int
    wait: str
