"""What every kind of input has: a model (what stands in a document), a build (its check) and a reader (what it understands)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

from pydantic import Field

from flowlang.building.compiler import Compiler
from flowlang.building.fields import DocumentModel
from flowlang.building.titles import check_shown
from flowlang.expressions.scopes import Scopes
from flowlang.expressions.templates import Template

_MARKS = "\u00ad\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
"""The soft hyphen, marks of direction, and what has no width; not the joiners, which belong to the sign before them."""
_UNSEEN = _MARKS + "".join(filter(str.isspace, map(chr, range(0x3001))))
LONGEST_WORD = 512
"""Characters of an answer that is compared with words of the author."""


class Invalid(Exception):
    """Not an answer to this question; the text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer: its value, the name a report knows it by, and where it leads if not to `ok`."""

    value: Any
    name: str = "answered"
    to: str | None = None


class Named(NamedTuple):
    """An answer with a name of its own: its id, the node that it leads to, and where that stands in the input."""

    id: str
    to: str | None
    place: tuple[str | int, ...]


class Reader(Protocol):
    """Understands answers."""

    def read(self, message: dict[str, Any], tapped: str | None, scopes: Scopes) -> Answer:
        """The answer in a message, or in a tap on the option `tapped`. Raises Invalid."""

    def shown(self, scopes: Scopes) -> Iterator[tuple[str, str]]:
        """(id, title) of the options that are shown with the question."""


class Free:
    """A reader that shows no options."""

    __slots__ = ()

    def shown(self, scopes: Scopes) -> Iterator[tuple[str, str]]:
        """None."""
        return iter(())


class Share(NamedTuple):
    """A button by which the person shares the answer, where the channel has one: `what`, and its title."""

    what: Literal["contact", "location"]
    title: Template


class Input(DocumentModel):
    """How the answer is read and where it is kept."""

    type: str
    """What is asked for."""
    save_to: str | None = None
    """The place where the answer is kept: `user.<name>`, `memory.<name>` or `temp.<name>`."""

    def build(self, compiler: Compiler) -> Reader:
        """What reads the answers; what is wrong goes to the compiler."""
        raise NotImplementedError

    def share(self, compiler: Compiler) -> Share | None:
        """The button that shares the answer, if the input has one."""
        return None

    def named(self) -> Iterator[Named]:
        """Answers that may lead to a node of their own, and that a report may be about."""
        return iter(())


class Shared(Input):
    """An input whose answer the person may share with a tap."""

    SHARES: ClassVar[Literal["contact", "location"]]

    button: str | None = Field(default=None, min_length=1, max_length=64)
    """Title of a button that shares it with one tap, in private chats of channels that have such a button; may have merge tags.
    Left out: none is shown."""

    def share(self, compiler: Compiler) -> Share | None:
        if self.button is None:
            return None
        check_shown(compiler, f"share_{self.SHARES}")
        return Share(self.SHARES, compiler.template(self.button, "button"))


def text_of(message: dict[str, Any], most: int | None = None) -> str:
    """What the person wrote, without space around it. Raises Invalid without any, or when it has more than `most` characters."""
    text = message.get("text")
    if not isinstance(text, str) or not (text := shorn(text)):
        raise Invalid("a text is expected")
    if most is not None and len(text) > most:
        raise Invalid(f"at most {most} characters are expected")
    return text


def shorn(text: str) -> str:
    """Without the space around it, and without what is not seen there: marks of direction, which come along when a number or an
    address is copied, and what has no width."""
    return text.strip(_UNSEEN)


def attachment_of(message: dict[str, Any], *types: str) -> dict[str, Any] | None:
    """The first thing of these types that came with the message."""
    found = message.get("attachments")
    for one in found if isinstance(found, (list, tuple)) else ():
        if isinstance(one, dict) and one.get("type") in types:
            return one
    return None


def folded(word: str) -> str:
    """A word as it is compared: without case, accents, and more than one space between its parts."""
    parts = unicodedata.normalize("NFKD", word[:LONGEST_WORD]).casefold()
    bare = "".join(each for each in parts if not unicodedata.combining(each))
    return re.sub(r"\s+", " ", bare or parts).strip()
