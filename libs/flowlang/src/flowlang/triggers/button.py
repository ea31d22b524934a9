"""`button`: a tap on a button that carries a payload and leads to no node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import model_validator

from flowlang.building.compiler import Compiler
from flowlang.building.fields import Payload
from flowlang.triggers.base import Arrival, Claim, Matcher, Precedence, TriggerModel


class ButtonTrigger(TriggerModel):
    """A tap on a button with this payload: of a `say`, whichever flow or broadcast sent it, or that a program sent as a `choice`."""

    TAKES: ClassVar = ("message",)
    PRECEDENCE: ClassVar = Precedence.BUTTON
    IS_BOUNDED: ClassVar = True

    type: Literal["button"]
    payload: Payload | None = None
    """The whole payload. Either this or `prefix`."""
    prefix: Payload | None = None
    """What the payload begins with; the flow sees the rest of it as `event.content`."""

    @model_validator(mode="after")
    def _has_one(self) -> ButtonTrigger:
        if (self.payload is None) == (self.prefix is None):
            raise ValueError("give a `payload`, or a `prefix` of payloads")
        return self

    def build(self, compiler: Compiler) -> Matcher:
        return _Whole(self.payload) if self.payload is not None else _Prefix(self.prefix or "")

    def claims(self) -> tuple[Claim, ...]:
        if self.when or self.payload is None:
            return ()
        text = f"{self.payload!r} is the payload of a `button` trigger"
        return (Claim(f"button {self.payload}", "payload", text, "payload-taken"),)


@dataclass(frozen=True, slots=True)
class _Whole(Matcher):
    payload: str

    def matches(self, arrival: Arrival) -> bool:
        return _tapped(arrival) == self.payload


@dataclass(frozen=True, slots=True)
class _Prefix(Matcher):
    prefix: str

    def matches(self, arrival: Arrival) -> bool:
        return _tapped(arrival).startswith(self.prefix)

    def content(self, arrival: Arrival) -> Any:
        return _tapped(arrival)[len(self.prefix) :]


def _tapped(arrival: Arrival) -> str:
    """The payload of a tap. A link to the bot, `/start PAYLOAD`, is a message and no tap."""
    data = arrival.happening.data
    payload = data.get("payload")
    return payload if data.get("type") == "choice" and isinstance(payload, str) else ""
