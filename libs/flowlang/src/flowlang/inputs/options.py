"""Answers that are shown as buttons: tapped, or written as id, title, synonym or place in the list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from flowlang.building.compiler import Compiler
from flowlang.building.fields import DocumentModel, NodeId
from flowlang.building.titles import check_title
from flowlang.expressions.scopes import Scopes
from flowlang.expressions.templates import Template
from flowlang.inputs.base import LONGEST_WORD, Answer, Invalid, folded, text_of


class Shown(DocumentModel):
    """An answer on a button. `to` makes it a port of its own; `synonyms` are other words for it."""

    title: str = Field(min_length=1, max_length=200)
    """What is on the button; may have merge tags. Its id is shown where they come to nothing."""
    to: NodeId | None = None
    """A node of its own for this answer; left out: the port `ok`."""
    synonyms: tuple[str, ...] = ()
    """Other words that mean it; case and accents do not matter."""


@dataclass(frozen=True, slots=True)
class Option:
    """A running one: `value` is what is kept."""

    id: str
    value: Any
    title: Template
    to: str | None
    words: frozenset[str]


def option(id: str, value: Any, shown: Shown, compiler: Compiler, *more: str) -> Option:
    """The option at the compiler's present place; `more` are further words that mean it."""
    check_title(compiler, shown.title)
    words = frozenset(filter(None, map(folded, (*shown.synonyms, *more))))
    return Option(id, value, compiler.template(shown.title, "title"), shown.to, words)


def title_of(id: str, title: Template, scopes: Scopes) -> str:
    """What is shown of an option or button; its id where the title comes to nothing, since no platform takes a button without one."""
    shown = title.render(scopes)
    return shown if shown.strip() else id


@dataclass(frozen=True, slots=True)
class OptionsReader:
    """Understands one of several options."""

    options: tuple[Option, ...]

    def read(self, message: dict[str, Any], tapped: str | None, scopes: Scopes) -> Answer:
        """The answer in a message, or in a tap on the option `tapped`. Raises Invalid."""
        found = self._of_id(tapped) if tapped is not None else self._written(message, scopes)
        if found is None:
            raise Invalid("none of the options")
        return Answer(found.value, found.id, found.to)

    def shown(self, scopes: Scopes) -> Iterator[tuple[str, str]]:
        """(id, title) of all options."""
        for one in self.options:
            yield one.id, title_of(one.id, one.title, scopes)

    def _of_id(self, id: str) -> Option | None:
        return next((one for one in self.options if one.id == id), None)

    def _written(self, message: dict[str, Any], scopes: Scopes) -> Option | None:
        payload = message.get("payload")
        if payload and (found := self._of_id(str(payload))):
            return found
        text = text_of(message, LONGEST_WORD)
        return self._of_id(text) or self._meant(text, scopes) or self._counted(text)

    def _meant(self, text: str, scopes: Scopes) -> Option | None:
        """By its title as it stands, else by a word or title in another case or without its accents."""
        titles = [(one, title_of(one.id, one.title, scopes).strip()) for one in self.options]
        same = [one for one, title in titles if title == text]
        word = folded(text)
        alike = (one for one, title in titles if word and (word in one.words or word == folded(title)))
        return same[0] if same else next(alike, None)

    def _counted(self, text: str) -> Option | None:
        """`2`, `2.` or `#2`: by its place in the list."""
        number = text.removeprefix("#").rstrip(".)")
        if number.isascii() and number.isdigit() and len(number) <= 3 and 1 <= int(number) <= len(self.options):
            return self.options[int(number) - 1]
        return None
