"""`first_message`: the first thing that a person ever writes to the bot."""

from __future__ import annotations

from typing import ClassVar, Literal

from flowlang.building.compiler import Compiler
from flowlang.triggers.base import Arrival, Matcher, Precedence, TriggerModel


class FirstMessageTrigger(TriggerModel):
    """The first message of a person that nothing else took."""

    TAKES: ClassVar = ("message",)
    PRECEDENCE: ClassVar = Precedence.FIRST_MESSAGE
    IS_BOUNDED: ClassVar = True

    type: Literal["first_message"]

    def build(self, compiler: Compiler) -> Matcher:
        return _FirstMessage()


class _FirstMessage(Matcher):
    __slots__ = ()

    def matches(self, arrival: Arrival) -> bool:
        return arrival.first_message
