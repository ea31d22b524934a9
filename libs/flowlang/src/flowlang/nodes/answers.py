"""What an `ask` takes for an answer: text, one of several choices, a number, an e-mail address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from pydantic import Field

from flowlang.building.compiler import Compiler
from flowlang.building.fields import DocumentModel, NodeId, OptionId
from flowlang.expressions.scopes import Scopes
from flowlang.expressions.templates import Template
from flowlang.patterns import Pattern
from flowlang.work import TooCostly, Work

LONGEST_TEXT = 16_384
_NUMBER = re.compile(r"[-+]?\d{1,15}(?:[.,]\d{1,12})?")
_EMAIL = re.compile(r"[^\s@<>\"(),:;\[\]\\]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}")


class Invalid(Exception):
    """Not an answer to this question; the text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer: its value, the name a report knows it by, and where it leads if not to `ok`."""

    value: Any
    name: str = "answered"
    to: str | None = None


class Reader(Protocol):
    """Understands answers."""

    def read(self, message: dict[str, Any], tapped: str | None, scopes: Scopes) -> Answer:
        """The answer in a message, or in a tap on the option `tapped`. Raises Invalid."""

    def shown(self, scopes: Scopes) -> Iterator[tuple[str, str]]:
        """(id, title) of the options that are shown with the question."""


class Input(DocumentModel):
    """How the answer is read and where it is kept."""

    save_to: str | None = None
    """The place where the answer is kept: `user.<name>`, `memory.<name>` or `temp.<name>`."""

    def build(self, compiler: Compiler) -> Reader:
        """What reads the answers; what is wrong goes to the compiler."""
        raise NotImplementedError


class TextInput(Input):
    """Any text, within limits; `pattern` is an RE2 expression that the whole text must match."""

    type: Literal["text"]
    """What is asked for."""
    min_length: int = Field(default=1, ge=1)
    """The fewest characters of an answer."""
    max_length: int = Field(default=4096, ge=1, le=LONGEST_TEXT)
    """The most characters of an answer."""
    pattern: str | None = Field(default=None, max_length=500)
    """An RE2 expression that the whole answer must match."""

    def build(self, compiler: Compiler) -> Reader:
        pattern = compiler.pattern(self.pattern, "pattern") if self.pattern else None
        return _TextReader(self.min_length, self.max_length, pattern)


class Option(DocumentModel):
    """One choice. `to` makes it a port of its own; `synonyms` are other words for it."""

    id: OptionId
    """Its name: what is kept, and what a report calls it."""
    title: str = Field(min_length=1, max_length=200)
    """What is on the button; may have merge tags."""
    to: NodeId | None = None
    """A node of its own for this answer; left out: the port `ok`."""
    synonyms: tuple[str, ...] = ()
    """Other words that mean it."""


class Choice(Input):
    """One of the options, by a tap, its id, its title, a synonym or its place in the list. Keeps the id."""

    type: Literal["choice"]
    """What is asked for."""
    options: tuple[Option, ...] = Field(min_length=1, max_length=40)
    """What there is to choose from."""

    def build(self, compiler: Compiler) -> Reader:
        seen: set[str] = set()
        options = []
        for index, option in enumerate(self.options):
            if option.id in seen:
                compiler.problem("duplicate-id", f"the option {option.id!r} is there twice", "options", index, "id")
            seen.add(option.id)
            title = compiler.template(option.title, "options", index, "title")
            synonyms = frozenset(word.strip().casefold() for word in option.synonyms)
            options.append(_Option(option.id, title, option.to, synonyms))
        return _ChoiceReader(tuple(options))


class NumberInput(Input):
    """A number, with a point or a comma; `integer` refuses fractions."""

    type: Literal["number"]
    """What is asked for."""
    min: float | None = None
    """The smallest number that is taken."""
    max: float | None = None
    """The largest number that is taken."""
    integer: bool = False
    """Whether only whole numbers are taken."""

    def build(self, compiler: Compiler) -> Reader:
        if self.min is not None and self.max is not None and self.min > self.max:
            compiler.problem("limits", "`min` is above `max`: nothing would be accepted", "min")
        return _NumberReader(self.min, self.max, self.integer)


class EmailInput(Input):
    """An e-mail address."""

    type: Literal["email"]
    """What is asked for."""

    def build(self, compiler: Compiler) -> Reader:
        return _EmailReader()


AnyInput = TextInput | Choice | NumberInput | EmailInput


def _text(message: dict[str, Any]) -> str:
    text = message.get("text")
    if not isinstance(text, str) or not text.strip():
        raise Invalid("a text is expected")
    return text.strip()


class _Free:
    def shown(self, scopes: Scopes) -> Iterator[tuple[str, str]]:
        return iter(())


def _has_form(text: str, pattern: Pattern, work: Work) -> bool:
    """Whether the text is what the pattern says; one that it would take too long over is not."""
    work.begin()
    try:
        pattern.make(work)
        work.charge(pattern.units(text))
    except TooCostly:
        return False
    return pattern.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class _TextReader(_Free):
    shortest: int
    longest: int
    pattern: Pattern | None

    def read(self, message: dict[str, Any], tapped: str | None, scopes: Scopes) -> Answer:
        text = _text(message)
        if not self.shortest <= len(text) <= self.longest:
            raise Invalid(f"{self.shortest} to {self.longest} characters are expected")
        if self.pattern is not None and not _has_form(text, self.pattern, scopes.work):
            raise Invalid("the text has not the expected form")
        return Answer(text)


@dataclass(frozen=True, slots=True)
class _Option:
    id: str
    title: Template
    to: str | None
    synonyms: frozenset[str]


@dataclass(frozen=True, slots=True)
class _ChoiceReader:
    options: tuple[_Option, ...]

    def read(self, message: dict[str, Any], tapped: str | None, scopes: Scopes) -> Answer:
        option = self._tapped(tapped) if tapped is not None else self._written(message, scopes)
        if option is None:
            raise Invalid("none of the options")
        return Answer(option.id, option.id, option.to)

    def _tapped(self, id: str) -> _Option | None:
        return next((option for option in self.options if option.id == id), None)

    def _written(self, message: dict[str, Any], scopes: Scopes) -> _Option | None:
        payload = message.get("payload")
        if payload and (option := self._tapped(str(payload))):
            return option
        text = _text(message)
        if option := self._tapped(text):
            return option
        word = text.casefold()
        for option in self.options:
            if word in option.synonyms or word == option.title.render(scopes).strip().casefold():
                return option
        if text.isascii() and text.isdigit() and 1 <= int(text[:3]) <= len(self.options):
            return self.options[int(text[:3]) - 1]
        return None

    def shown(self, scopes: Scopes) -> Iterator[tuple[str, str]]:
        for option in self.options:
            yield option.id, option.title.render(scopes)


@dataclass(frozen=True, slots=True)
class _NumberReader(_Free):
    least: float | None
    most: float | None
    integer: bool

    def read(self, message: dict[str, Any], tapped: str | None, scopes: Scopes) -> Answer:
        text = re.sub(r"(?<=\d)[ \u00a0\u202f](?=\d{3})", "", _text(message))
        if not _NUMBER.fullmatch(text):
            raise Invalid("a number is expected")
        number = float(text.replace(",", "."))
        if self.integer and not number.is_integer():
            raise Invalid("a whole number is expected")
        if (self.least is not None and number < self.least) or (self.most is not None and number > self.most):
            raise Invalid("the number is out of range")
        return Answer(int(number) if number.is_integer() else number)


@dataclass(frozen=True, slots=True)
class _EmailReader(_Free):
    def read(self, message: dict[str, Any], tapped: str | None, scopes: Scopes) -> Answer:
        text = _text(message)
        if len(text) > 254 or not _EMAIL.fullmatch(text):
            raise Invalid("an e-mail address is expected")
        return Answer(text)
