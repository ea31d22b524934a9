"""Values in a document that are worked out when a node runs, and the places a flow may write to.

A text may hold merge tags and gives text; `{cel: "…"}` keeps the expression's type; lists and objects hold such values;
everything else is itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from contracts.people import PROFILE_FIELDS
from flowlang.expressions.expression import Expression
from flowlang.expressions.scopes import Scopes
from flowlang.expressions.templates import Template
from flowlang.problems import NodeError

WRITABLE = ("user", "contact", "memory", "temp")
NOT_VARIABLES = frozenset(("id", "tags", "flags", "last_message", "external_id"))
"""Of a person: not set like a variable. Tags and flags have nodes of their own, external_id is the other system's key."""
LONGEST_NAME = 64
MOST_LEVELS = 100
"""Of a value that is kept. It is written inside of others, and JSON ends at 254: a list that is put into itself by each event
gets there."""


class Value:
    """Something that is worked out when a node runs."""

    __slots__ = ()

    def of(self, scopes: Scopes) -> Any:
        """The value. Raises NodeError."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Literal(Value):
    """Itself."""

    value: Any

    def of(self, scopes: Scopes) -> Any:
        return self.value


@dataclass(frozen=True, slots=True)
class Text(Value):
    """A rendered template."""

    template: Template

    def of(self, scopes: Scopes) -> Any:
        return self.template.render(scopes)


@dataclass(frozen=True, slots=True)
class Computed(Value):
    """An expression's value."""

    expression: Expression

    def of(self, scopes: Scopes) -> Any:
        return self.expression.evaluate(scopes)


@dataclass(frozen=True, slots=True)
class Object(Value):
    """An object of values."""

    items: tuple[tuple[str, Value], ...]

    def of(self, scopes: Scopes) -> Any:
        return {name: value.of(scopes) for name, value in self.items}


@dataclass(frozen=True, slots=True)
class Items(Value):
    """A list of values."""

    items: tuple[Value, ...]

    def of(self, scopes: Scopes) -> Any:
        return [value.of(scopes) for value in self.items]


@dataclass(frozen=True, slots=True)
class Place:
    """A place to write to: `memory.seats`, `user.age` (a profile field or a variable of the person), `temp.x`."""

    scope: str
    name: str


def place(text: str) -> Place:
    """The place that a document names. Raises ValueError with what is allowed."""
    scope, dot, name = text.partition(".")
    if not dot or scope not in WRITABLE or not name:
        raise ValueError(f"write to memory.<name>, user.<name> or temp.<name>, not {text!r}")
    scope = "user" if scope == "contact" else scope
    if scope == "user" and name in NOT_VARIABLES:
        raise ValueError(
            f"user.{name} cannot be set here" + (": use a tag or flag node" if name in ("tags", "flags") else "")
        )
    if "." in name or len(name) > LONGEST_NAME:
        raise ValueError(f"a name has no dot and at most {LONGEST_NAME} characters: {text!r}")
    return Place(scope, name)


def json_size(value: Any) -> int:
    """Bytes of a value as JSON. Raises NodeError for what has no JSON form, or is nested too deeply to be kept in another."""
    try:
        encoded = orjson.dumps(value)
    except TypeError as error:
        raise NodeError("not-json", f"a value that cannot be kept: {error}") from error
    if encoded.count(b"[") + encoded.count(b"{") > MOST_LEVELS and is_too_deep(value):
        raise NodeError("not-json", f"a value that cannot be kept: it has more than {MOST_LEVELS} levels")
    return len(encoded)


def is_too_deep(value: Any) -> bool:
    """Whether a JSON value has more than MOST_LEVELS levels."""
    level = [value]
    for _ in range(MOST_LEVELS):
        level = [
            child
            for parent in level
            if isinstance(parent, (dict, list, tuple))
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, (dict, list, tuple))
        ]
    return bool(level)


def contact_key(name: str) -> str:
    """`profile.city` or `variables.lecture`: the key of an attribute in a contact's patch."""
    return f"profile.{name}" if name in PROFILE_FIELDS else f"variables.{name}"
