"""`text`: any text within limits, in a form, or along a mask."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from flowlang.building.compiler import Compiler
from flowlang.expressions.scopes import Scopes
from flowlang.inputs.base import Answer, Free, Input, Invalid, Reader, text_of
from flowlang.patterns import Pattern
from flowlang.work import TooCostly, Work

LONGEST_TEXT = 16_384
LONGEST_MASK = 64
_PLACES = frozenset("9A*")


class TextInput(Input):
    """Any text, within limits; `pattern` is an RE2 expression that the whole text must match, `mask` a form to fill in."""

    type: Literal["text"]
    """Any text."""
    min_length: int = Field(default=1, ge=1)
    """The fewest characters of an answer."""
    max_length: int = Field(default=4096, ge=1, le=LONGEST_TEXT)
    """The most characters of an answer."""
    pattern: str | None = Field(default=None, max_length=500)
    """An RE2 expression that the whole answer must match."""
    mask: str | None = Field(default=None, min_length=1, max_length=LONGEST_MASK)
    """A form to fill in: `9` is a digit, `A` a letter, `*` either; all else stands for itself, may be left out by the person, and
    is kept. Digits of other scripts count, and are kept as 0 to 9; letters are of any alphabet, and stay as they are."""

    def build(self, compiler: Compiler) -> Reader:
        if self.min_length > self.max_length:
            message = "`min_length` is above `max_length`: nothing is accepted"
            compiler.problem("limits", message, "min_length", severity="warning")
        if self.mask and _PLACES.isdisjoint(self.mask):
            compiler.problem("mask", "a mask has a 9, A or * at least: else there is nothing to fill in", "mask")
        pattern = compiler.pattern(self.pattern, "pattern") if self.pattern else None
        return _TextReader(self.min_length, self.max_length, pattern, self.mask)


@dataclass(frozen=True, slots=True)
class _TextReader(Free):
    shortest: int
    longest: int
    pattern: Pattern | None
    mask: str | None

    def read(self, message: dict[str, Any], tapped: str | None, scopes: Scopes) -> Answer:
        text = text_of(message)
        if self.mask is not None:
            text = _filled_in(self.mask, text)
        if not self.shortest <= len(text) <= self.longest:
            raise Invalid(f"{self.shortest} to {self.longest} characters are expected")
        if self.pattern is not None and not _has_form(text, self.pattern, scopes.work):
            raise Invalid("the text has not the expected form")
        return Answer(text)


def _filled_in(mask: str, text: str) -> str:
    """The mask with what the person wrote in it. Raises Invalid."""
    at, made = 0, []
    for place in mask:
        written = text[at : at + 1]
        if place not in _PLACES:
            at += written == place
            made.append(place)
            continue
        found = _fitting(place, written)
        if found is None:
            raise Invalid(f"the form {mask} is expected")
        at += 1
        made.append(found)
    if at < len(text):
        raise Invalid(f"the form {mask} is expected")
    return "".join(made)


def _fitting(place: str, written: str) -> str | None:
    """A character as it is kept in that place of a mask; None where it is none for it."""
    if written.isalpha():
        return written if place != "9" else None
    digit = unicodedata.decimal(written, None) if written else None
    return str(digit) if digit is not None and place != "A" else None


def _has_form(text: str, pattern: Pattern, work: Work) -> bool:
    """Whether the text is what the pattern says; one that it would take too long over is not."""
    work.begin()
    try:
        pattern.make(work)
        work.charge(pattern.units(text))
    except TooCostly:
        return False
    return pattern.fullmatch(text) is not None
