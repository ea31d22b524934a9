"""`say`: send messages and go on at once. A tap on a button with a target leads there later, from wherever it waits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import Field

from flowlang import clock
from flowlang.building.compiler import Compiler
from flowlang.building.fields import Duration
from flowlang.nodes.base import Edge, Go, NodeModel, Outcome, Step, answer_names
from flowlang.nodes.context import StepContext
from flowlang.nodes.message_parts import Part, QuickReply, Shown, build_part, say_part


class SayModel(NodeModel):
    """Send one or more messages: texts, pictures, files, places, cards. What a channel cannot show is said in words. `expires`: after so long since what caused them they are not worth sending."""

    PORTS: ClassVar = ("next", "error")

    type: Literal["say"]
    parts: tuple[Part, ...] = Field(min_length=1, max_length=10)
    """The messages, in their order."""
    expires: Duration | None = None
    """After so long since what caused them they are not worth sending any more."""

    def build(self, compiler: Compiler) -> Say:
        self._check_ids(compiler)
        parts = []
        for index, part in enumerate(self.parts):
            with compiler.at("parts", index):
                parts.append(build_part(part, compiler))
        return Say(tuple(parts), clock.duration(self.expires) if self.expires else None)

    def _check_ids(self, compiler: Compiler) -> None:
        """An id is one button's; on another channel the same button may look otherwise, but leads to the same node."""
        seen: dict[str, tuple[int, str | None]] = {}
        for index, part in enumerate(self.parts):
            for place, option in part.all_options():
                is_same = place[0] == "per_channel" and seen.get(option.id) == (index, option.to)
                if option.id in seen and not is_same:
                    compiler.problem("duplicate-id", f"the id {option.id!r} is used twice", "parts", index, *place)
                seen.setdefault(option.id, (index, option.to))

    def _options(self) -> Iterator[tuple[tuple[str | int, ...], QuickReply]]:
        for index, part in enumerate(self.parts):
            for place, option in part.all_options():
                yield ("parts", index, *place), option

    def later_targets(self) -> dict[str, str]:
        return {option.id: option.to for _, option in self._options() if option.to}

    def edges(self) -> Iterator[Edge]:
        yield from super().edges()
        for place, option in self._options():
            if option.to:
                yield Edge(option.to, (*place, "to"), same_turn=False, events=("message",))

    def report_moments(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(answer_names(option for _, option in self._options())))


@dataclass(frozen=True, slots=True)
class Say(Step):
    """The running messages: each with those of the channels that have their own."""

    IS_BOUNDED: ClassVar = True

    parts: tuple[tuple[Shown, dict[str, Shown]], ...]
    expires: timedelta | None

    def enter(self, run: StepContext) -> Outcome:
        for part, own in self.parts:
            shown = own.get(run.scope("system").get("channel"), part) if own else part
            say_part(shown, run, expires=self.expires)
        return Go()
