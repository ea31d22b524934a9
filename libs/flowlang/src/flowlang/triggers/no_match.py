"""`no_match`: the last resort, where even `any_message` did not take a message."""

from __future__ import annotations

from typing import ClassVar, Literal

from flowlang.triggers.base import Precedence, TriggerModel


class NoMatchTrigger(TriggerModel):
    """A message that no other trigger took."""

    TAKES: ClassVar = ("message",)
    PRECEDENCE: ClassVar = Precedence.NO_MATCH
    IS_BOUNDED: ClassVar = True

    type: Literal["no_match"]
