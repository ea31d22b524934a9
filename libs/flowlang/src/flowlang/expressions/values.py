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
    """Bytes of a value as JSON. Raises NodeError for what has no JSON form (nested too deeply)."""
    try:
        return len(orjson.dumps(value))
    except TypeError as error:
        raise NodeError("not-json", f"a value that cannot be kept: {error}") from error


def contact_key(name: str) -> str:
    """`profile.city` or `variables.lecture`: the key of an attribute in a contact's patch."""
    return f"profile.{name}" if name in PROFILE_FIELDS else f"variables.{name}"
