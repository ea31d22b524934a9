"""Turns what stands in a document into what runs, and notes what is wrong with it.

A node's `build` asks this for its templates, expressions, values, places and ports. What cannot be built becomes a
problem with the pointer of the place and a harmless stand-in, so that one pass finds everything: checking a document and
compiling it are the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from contracts.web_url import origin_of
from flowlang.expressions.arguments import Given
from flowlang.expressions.expression import Expression, may_be_short
from flowlang.expressions.json_paths import JsonPath
from flowlang.expressions.operands import Operands
from flowlang.expressions.templates import Template, is_literal, url_template
from flowlang.expressions.values import Computed, Items, Literal, Object, Place, Text, Value, place
from flowlang.names import Nearest
from flowlang.patterns import Pattern
from flowlang.problems import Problem, pointer

T = TypeVar("T")
Reference = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KnownNames:
    """What a document may refer to. None: not known here, so not checked."""

    api_calls: Collection[str] | None = None
    """Of the project, models among them."""
    models: Collection[str] | None = None
    """Those of the API calls that are language models."""
    flows: Collection[str] | None = None
    """Slugs of the bot's flows."""
    commands: Mapping[str, str] = field(default_factory=dict)
    """What only one trigger of a bot may have, of its other published flows: unconditional commands, `chat /start` or `url /x`, and
    payloads, `button buy`; and the flow's slug."""
    title_limits: Mapping[str, int] = field(default_factory=dict)
    """Type of each of the bot's channels -> characters of a title that it shows; a longer one is told."""
    segments: Mapping[str, bool] | None = None
    """Of the project, by name: whether flows may ask for it."""
    secrets: Mapping[str, Collection[str]] | None = None
    """Of the project, by name: where they may be sent, `https://api.example.com`; none: they go where they are named first."""
    text_limits: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    """Type of each of the bot's channels -> how long a text may be, in `characters` or `bytes`."""
    shows: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Type of each of the bot's channels -> what it can show: `image`, `video`, `audio`, `file`, `location`, `cards`."""


class Compiler:
    """Builds the parts of one document; `problems` grows.

    `later`: to run it, not to check it. Programs are then parsed when a turn first comes to them. `short`: expressions that
    are cheap by their form pass no gate then.
    """

    def __init__(self, known: KnownNames | None = None, *, later: bool = False, short: bool = False) -> None:
        self.known, self.later, self._short = known or KnownNames(), later, short
        self.short_characters = 0
        """Of all expressions that may be kept ready for that."""
        self.problems: list[Problem] = []
        self.reads: list[tuple[Reference, str]] = []
        """(path, pointer) of everything that is read."""
        self.compares: list[tuple[Operands, str]] = []
        self.given: list[tuple[Given, str]] = []
        self.tests: list[tuple[Reference | str, str]] = []
        """(what is taken together, pointer) of all conditions and computed values."""
        self.segments: set[str] = set()
        """Whose members are asked for."""
        self.writes: set[Reference] = set()
        self._near: dict[str, Nearest] = {}
        self._path: tuple[str | int, ...] = ()

    @contextmanager
    def at(self, *parts: str | int) -> Iterator[None]:
        """What follows stands there."""
        before = self._path
        self._path = (*before, *parts)
        try:
            yield
        finally:
            self._path = before

    def problem(self, code: str, message: str, *parts: str | int, severity: str = "error") -> None:
        """Something is wrong at the present place (and `parts` below it)."""
        level: Any = severity
        self.problems.append(Problem(pointer(*self._path, *parts), level, code, message))

    def refer(self, code: str, kind: str, name: str, known: Collection[str] | None, *parts: str | int) -> None:
        """The document names something of the bot or project: a problem where that is not among what is known."""
        if known is None or name in known:
            return
        near = self._near.setdefault(code, Nearest(known))
        self.problem(code, f"there is no {kind} {name!r}: make it, or name another{near.hint(name)}", *parts)

    def _try(self, code: str, make: Callable[[str], T], source: str, stand_in: T) -> T:
        try:
            return make(source)
        except ValueError as error:
            self.problem(code, str(error))
            return stand_in

    def template(self, source: str, *parts: str | int) -> Template:
        """A text with merge tags."""
        with self.at(*parts):
            return self._read(self._try("template", partial(Template, later=self.later), source, Template("")))

    def url(self, source: str, *parts: str | int) -> Template:
        """A URL that this system calls: scheme, host and port literal, tags percent-encoded."""
        with self.at(*parts):
            return self._read(self._try("url", partial(url_template, later=self.later), source, Template("")))

    def link(self, source: str, *parts: str | int) -> Template:
        """A URL that a person opens: it may be one merge tag, else as `url`."""
        alone = source.lstrip().startswith("{{")
        return self.template(source, *parts) if alone else self.url(source, *parts)

    def _read(self, template: Template) -> Template:
        self._note(template.reads)
        return template

    def _note(self, reads: tuple[Reference, ...]) -> None:
        here = pointer(*self._path)
        self.reads.extend((path, here) for path in reads)

    def pattern(self, source: str, *parts: str | int) -> Pattern:
        """An RE2 expression."""
        with self.at(*parts):
            return self._try("pattern", partial(Pattern, later=self.later), source, Pattern(""))

    def json_path(self, source: str, *parts: str | int) -> JsonPath:
        """A JMESPath expression."""
        with self.at(*parts):
            return self._try("json-path", partial(JsonPath, later=self.later), source, JsonPath("@"))

    def condition(self, source: str, *parts: str | int) -> Expression:
        """A CEL expression that is to be true or false."""
        return self.expression(source, *parts, decides=True)

    def expression(self, source: str, *parts: str | int, decides: bool = False) -> Expression:
        """A CEL expression."""
        with self.at(*parts):
            make = partial(Expression, decides=decides, later=self.later, short=self._short, has_person=True)
            if self._short and may_be_short(source):
                self.short_characters += len(source)
            built = self._try("expression", make, source, _FALSE)
            self._note(built.reads)
            self.compares.extend((one, pointer(*self._path)) for one in built.compares)
            self.given.extend((one, pointer(*self._path)) for one in built.given)
            self.tests.extend((one, pointer(*self._path)) for one in built.tests)
            for name in built.segments:
                self._segment(name)
            if built.hint:
                self.problem("hyphen", built.hint, severity="warning")
            return built

    def _segment(self, name: str) -> None:
        self.segments.add(name)
        known = self.known.segments
        self.refer("unknown-segment", "segment", name, known)
        if known is not None and not known.get(name, True):
            message = (
                f"the segment {name!r} asks for created_at, last_seen_at or channels, which a flow does not know: ask for"
                " something else"
            )
            self.problem("unknown-segment", message)

    def secret(self, name: str, url: str, *parts: str | int) -> None:
        """A secret that is sent along in a request to `url`."""
        known = self.known.secrets
        if known is None:
            return
        if name not in known:
            self.problem("unknown-secret", f"there is no secret {name!r}: make it, or name one that exists", *parts)
        elif (hosts := known[name]) and origin_of(url) not in hosts:
            where = ", ".join(sorted(hosts))
            message = f"the secret {name!r} goes to {where} only: write it again with the hosts that it is for"
            self.problem("secret-elsewhere", message, *parts)

    def members(self, name: str, *parts: str | int) -> None:
        """A segment whose members are walked, of whom all is known."""
        self.segments.add(name)
        if self.known.segments is not None and name not in self.known.segments:
            self.problem("unknown-segment", f"there is no segment {name!r}: make it, or name one that exists", *parts)

    def value(self, raw: Any, *parts: str | int) -> Value:
        """A value of texts, expressions and literals."""
        if not isinstance(raw, (str, dict, list)) or (isinstance(raw, str) and is_literal(raw)):
            return Literal(raw)
        with self.at(*parts):
            if isinstance(raw, str):
                return Text(self.template(raw))
            if isinstance(raw, dict):
                if set(raw) == {"cel"} and isinstance(raw["cel"], str):
                    return Computed(self.expression(raw["cel"], "cel"))
                return Object(tuple((name, self.value(item, name)) for name, item in raw.items()))
            return Items(tuple(self.value(item, index) for index, item in enumerate(raw)))

    def place(self, text: str, *parts: str | int) -> Place:
        """A place to write to."""
        with self.at(*parts):
            found = self._try("target", place, text, Place("temp", "_"))
            self.writes.add((found.scope, found.name))
            return found


_FALSE = Expression("false")
