"""`keyword`: words in a message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints, model_validator

from flowlang.building.compiler import Compiler
from flowlang.patterns import UNITS_TO_MAKE, Pattern, Search, escape, searching
from flowlang.problems import NodeError
from flowlang.triggers.base import Arrival, Matcher, Precedence, TriggerModel
from flowlang.work import CHARACTERS, TooCostly, Work

Word = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
_SHAPES = {
    "word": r"(?i)(?:^|[^\pL\pN_]){}(?:$|[^\pL\pN_])",
    "exact": r"(?i)^\s*{}\s*$",
    "contains": r"(?i){}",
}
"""RE2 expressions around a word."""
MOST_MADE = 4096
_made: dict[tuple[str, str], Search] = {}


class KeywordTrigger(TriggerModel):
    """Words in a message. `any` words, matched as a whole word (default), exactly, or anywhere; `pattern` is RE2."""

    TAKES: ClassVar = ("message",)
    PRECEDENCE: ClassVar = Precedence.KEYWORD
    IS_BOUNDED: ClassVar = True

    type: Literal["keyword"]
    any: tuple[Word, ...] = Field(default=(), max_length=100)
    """Words, one of which the message has."""
    match: Literal["word", "exact", "contains"] = "word"
    """How a word is looked for: as a word, as the whole message, or anywhere."""
    pattern: str | None = Field(default=None, max_length=500)
    """An RE2 expression that is looked for in the message."""

    @model_validator(mode="after")
    def _has_something(self) -> KeywordTrigger:
        if not self.any and not self.pattern:
            raise ValueError("give words in `any`, or a `pattern`")
        return self

    def words(self) -> int:
        return len(self.any)

    def build(self, compiler: Compiler) -> Matcher:
        pattern = compiler.pattern(self.pattern, "pattern") if self.pattern else None
        return _Keyword(_SHAPES[self.match], tuple((word.casefold(), word) for word in self.any), pattern)


@dataclass(frozen=True, slots=True)
class _Keyword(Matcher):
    """`words` are pairs: folded, and as it is written. A text in which a word is found has its characters, folded as well, since
    RE2 folds by less; most texts have not, and are asked nothing more."""

    shape: str
    words: tuple[tuple[str, str], ...]
    pattern: Pattern | None

    def matches(self, arrival: Arrival) -> bool:
        """Whether the text has one of them. One that would take too long over this text does not take it."""
        text = arrival.happening.data.get("text")
        if not isinstance(text, str):
            return False
        try:
            return self._found(text, arrival.work)
        except (TooCostly, NodeError):
            return False

    def _found(self, text: str, work: Work) -> bool:
        work.charge_turn(len(self.words) * (1 + len(text) // CHARACTERS))
        folded = text.casefold()
        for characters, word in self.words:  # Most messages are asked about all words.
            if characters in folded and _searching(self.shape, word, work)(text) is not None:
                return True
        if self.pattern is None:
            return False
        work.begin()
        self.pattern.make(work)
        work.charge(self.pattern.units(text))
        return self.pattern.search(text) is not None


def _searching(shape: str, word: str, work: Work) -> Search:
    """What looks for a word; the MOST_MADE that were last made are kept, of all flows together."""
    search = _made.get((shape, word))
    if search is None:
        work.make(UNITS_TO_MAKE + len(word))
        search = _made[shape, word] = searching(shape.replace("{}", escape(word), 1))
        if len(_made) > MOST_MADE:
            del _made[next(iter(_made))]
    return search
