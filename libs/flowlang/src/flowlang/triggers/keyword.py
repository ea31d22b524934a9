"""`keyword`: words in a message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints, model_validator

from flowlang.building.compiler import Compiler
from flowlang.expressions.patterns import Pattern, compile_pattern, escape
from flowlang.triggers.base import Arrival, Matcher, Precedence, TriggerModel

Word = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
_SHAPES = {
    "word": r"(?i)(?:^|[^\pL\pN_]){}(?:$|[^\pL\pN_])",
    "exact": r"(?i)^\s*{}\s*$",
    "contains": r"(?i){}",
}
"""RE2 expressions around a word."""


class KeywordTrigger(TriggerModel):
    """Words in a message. `any` words, matched as a whole word (default), exactly, or anywhere; `pattern` is RE2."""

    TAKES: ClassVar = ("message",)
    PRECEDENCE: ClassVar = Precedence.KEYWORD

    type: Literal["keyword"]
    any: tuple[Word, ...] = Field(default=(), max_length=100)
    match: Literal["word", "exact", "contains"] = "word"
    pattern: str | None = Field(default=None, max_length=500)

    @model_validator(mode="after")
    def _has_something(self) -> KeywordTrigger:
        if not self.any and not self.pattern:
            raise ValueError("give words in `any`, or a `pattern`")
        if self.pattern:
            compile_pattern(self.pattern)
        return self

    def build(self, compiler: Compiler) -> Matcher:
        made = [compile_pattern(_SHAPES[self.match].replace("{}", escape(word), 1)) for word in self.any]
        return _Keyword((*made, *([compile_pattern(self.pattern)] if self.pattern else [])))


@dataclass(frozen=True, slots=True)
class _Keyword(Matcher):
    patterns: tuple[Pattern, ...]

    def matches(self, arrival: Arrival) -> bool:
        text = arrival.happening.data.get("text")
        if isinstance(text, str):
            for (
                pattern
            ) in self.patterns:  # A loop: half the time of any(), and most messages are asked about all words.
                if pattern.search(text):
                    return True
        return False
