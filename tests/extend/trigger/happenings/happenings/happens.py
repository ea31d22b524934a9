"""`happens`: something that is no message happened to the conversation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from flowlang.building.compiler import Compiler
from flowlang.triggers.base import Arrival, Matcher, Precedence, TriggerModel


class HappensTrigger(TriggerModel):
    """An event of the kind `what` that nothing waits for."""

    TAKES: ClassVar = ("reachability", "contact_update", "message_result", "signal", "timer")
    PRECEDENCE: ClassVar = Precedence.EVENT

    type: Literal["happens"]
    what: Literal["reachability", "contact_update", "message_result", "signal", "timer"]

    @staticmethod
    def names_in(arrival: Arrival) -> tuple[str, ...]:
        return (arrival.happening.kind,)

    def build(self, compiler: Compiler) -> Matcher:
        return _Happens(self.what)


@dataclass(frozen=True, slots=True)
class _Happens(Matcher):
    what: str

    def names(self) -> tuple[str, ...]:
        return (self.what,)
