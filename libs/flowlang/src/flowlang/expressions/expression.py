"""Conditions and computed values: CEL, compiled once, its cost bounded by what enters times what is done with it.

The library has no cost limit and holds the interpreter's lock while it runs (999 characters took 68 s), so an expression
is refused when it could cost much, and what enters one is measured before it runs.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from flowlang.expressions.cel_library import cel
from flowlang.expressions.comparisons import comparison
from flowlang.expressions.patterns import compile_pattern
from flowlang.expressions.scopes import ROOTS, Scopes
from flowlang.problems import NodeError

LONGEST_SOURCE = 2000
MOST_ADDITIONS = 8
LONGEST_TEXT = 64 * 1024
LONGEST_LIST = 1000
MOST_WORK = 4 * 1024 * 1024
"""Bytes that an expression may touch: items it walks or lists, times the size of what is in reach."""
_ITEM_BYTES = 32

FUNCTIONS = frozenset((
    "size", "contains", "startsWith", "endsWith", "matches", "int", "uint", "double", "string", "bool", "type", "timestamp",
    "duration", "min", "max", "getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear",
    "getHours", "getMinutes", "getSeconds", "getMilliseconds", "has", "all", "exists", "exists_one", "map", "filter",
))  # fmt: skip
_STRING = re.compile(r"""[rRbB]{0,2}("{3}|'{3}).*?\1|[rRbB]{0,2}"(?:\\.|[^"\\])*"|[rRbB]{0,2}'(?:\\.|[^'\\])*'""", re.S)
_COMMENT = re.compile(r"//[^\n]*")
_MACRO = re.compile(r"\.\s*(all|exists|exists_one|map|filter)\s*\(\s*([A-Za-z_]\w*)\s*,")
_PATH = re.compile(r"(?<![\w.])([A-Za-z_]\w*)((?:\s*\.\s*[A-Za-z_]\w*\b(?!\s*\()|\s*\[\s*\x00\d+\x00\s*\])*)")
_STEP = re.compile(r"\.\s*([A-Za-z_]\w*)|\[\s*\x00(\d+)\x00\s*\]")
_HYPHEN = re.compile(r"\b(user|contact|memory|temp|bot|event)\s*\.\s*(\w+(?:-[A-Za-z_]\w*)+)")

Reference = tuple[str, ...]


class Expression:
    """A CEL expression. `reads` are the paths it reads, for the checker; `hint` is said about hyphens in names."""

    __slots__ = (
        "_comparison", "_has_macro", "_literal_items", "_operations", "_program", "_roots", "hint", "reads", "source",
    )  # fmt: skip

    def __init__(self, source: str) -> None:
        """Raises ValueError, with a sentence, when it does not parse or could cost too much."""
        self.source = source
        self.hint: str | None = None
        skeleton, literals = _skeleton(source)
        _refuse_costly(source, skeleton)
        _refuse_costly_patterns(skeleton, literals)
        self._program = _compiled(source)
        bound = {name for _, name in _MACRO.findall(skeleton)}
        self._roots = tuple(name for name in self._program.variables() if name not in bound)
        self.reads = _paths(skeleton, literals, bound)
        self.hint = _hyphen_hint(skeleton)
        self._refuse_unknown()
        self._has_macro = bool(bound)
        self._literal_items = skeleton.count(",") + 1
        self._operations = 1 + skeleton.count("+")
        self._comparison = comparison(source)

    def _refuse_unknown(self) -> None:
        for name in self._roots:
            if name not in ROOTS:
                hint = f". {self.hint}" if self.hint else f"; a name begins with one of {', '.join(sorted(ROOTS))}"
                raise ValueError(f"there is no {name!r}{hint}")
        for name in self._program.functions():
            if name.isidentifier() and name not in FUNCTIONS and not name.startswith("_"):
                raise ValueError(f"there is no function {name!r}; there are: {', '.join(sorted(FUNCTIONS))}")

    def evaluate(self, scopes: Scopes) -> Any:
        """The value, as plain JSON; None when something it reads is not there (and that is noted).

        Raises NodeError for an error of the expression itself, or when what it reads is too big.
        """
        if self._comparison is not None:
            decided = self._comparison.decide(scopes.scope(self._comparison.root))
            if decided is not None:
                return decided
        values = {name: scopes.scope(name) for name in self._roots}
        self._refuse_big(values)
        try:
            return _plain(self._program.execute(values))
        except KeyError as error:
            scopes.missing(f"{error.args[0]} in {self.source[:80]!r}")
            return None
        except (ValueError, TypeError, RuntimeError, ArithmeticError, LookupError) as error:
            raise NodeError("expression", f"{str(error)[:200]} (in {self.source[:60]!r})") from error

    def _refuse_big(self, values: dict[str, Any]) -> None:
        measure = _Measure()
        for value in values.values():
            measure.add(value)
        items, size = self._literal_items, measure.characters
        if self._has_macro:
            items = max(measure.longest_list, items) * self._operations
            size += _ITEM_BYTES * measure.items
        if items * size > MOST_WORK:
            raise NodeError("expression-too-costly", f"too much data for {self.source[:60]!r}")


class _Measure:
    """Size of what enters an expression. Raises NodeError where one text or list is too long."""

    __slots__ = ("characters", "items", "longest_list")

    def __init__(self) -> None:
        self.characters = 0
        self.items = 0
        self.longest_list = 0

    def add(self, value: Any) -> None:
        if isinstance(value, str):
            self.characters += len(value)
            if len(value) > LONGEST_TEXT:
                raise NodeError("expression-too-costly", f"a text of more than {LONGEST_TEXT} characters")
        elif isinstance(value, (dict, list, tuple)):
            self._add_all(value)

    def _add_all(self, value: dict[str, Any] | list[Any] | tuple[Any, ...]) -> None:
        count = len(value)
        self.items += count
        self.longest_list = max(self.longest_list, count)
        if count > LONGEST_LIST:
            raise NodeError("expression-too-costly", f"a list or object of more than {LONGEST_LIST} items")
        for item in value.values() if isinstance(value, dict) else value:
            if isinstance(item, (str, dict, list, tuple)):
                self.add(item)


def _skeleton(source: str) -> tuple[str, list[str]]:
    """The source with each string literal as `\\0n\\0`, and the literals."""
    literals: list[str] = []

    def keep(match: re.Match[str]) -> str:
        literals.append(match.group(0))
        return f"\x00{len(literals) - 1}\x00"

    return _COMMENT.sub(" ", _STRING.sub(keep, source)), literals


def _refuse_costly(source: str, skeleton: str) -> None:
    if len(source) > LONGEST_SOURCE:
        raise ValueError(f"a condition has at most {LONGEST_SOURCE} characters")
    if skeleton.count("+") > MOST_ADDITIONS:
        raise ValueError(f"at most {MOST_ADDITIONS} `+` in an expression")
    for match in _MACRO.finditer(skeleton):
        body = _inside(skeleton, match.end())
        if _MACRO.search(body):
            raise ValueError(f"{match.group(1)}() inside another such loop costs too much")
        if "matches" in body:
            raise ValueError(f"matches() inside {match.group(1)}() costs too much")


def _refuse_costly_patterns(skeleton: str, literals: list[str]) -> None:
    """A pattern is compiled at each evaluation, so it is one literal, and small."""
    uses = len(re.findall(r"\bmatches\b", skeleton))
    if uses > 1:
        raise ValueError("at most one matches() in an expression")
    found = re.search(r"\bmatches\s*\(\s*\x00(\d+)\x00\s*\)", skeleton)
    if uses and not found:
        raise ValueError('matches() takes its pattern as a literal: user.email.matches("@example\\.com$")')
    if found:
        compile_pattern(str(_compiled(literals[int(found.group(1))]).execute({})))


def _inside(skeleton: str, start: int) -> str:
    """The text from `start` to the bracket that closes the one before it."""
    depth = 1
    for index in range(start, len(skeleton)):
        depth += (skeleton[index] in "([{") - (skeleton[index] in ")]}")
        if depth == 0:
            return skeleton[start:index]
    return skeleton[start:]


def _compiled(source: str) -> cel.Program:
    try:
        return cel.compile(source)
    except ValueError as error:
        detail = re.sub(r"^Failed to parse expression .*?: ERROR: <input>:", "line ", str(error), flags=re.S)
        raise ValueError(f"the expression does not parse: {detail.splitlines()[0][:200]}") from error


def _paths(skeleton: str, literals: list[str], bound: set[str]) -> tuple[Reference, ...]:
    found = []
    for root, rest in _PATH.findall(skeleton):
        if root in ROOTS and root not in bound:
            steps = [name or _unquoted(literals[int(number)]) for name, number in _STEP.findall(rest)]
            found.append((root, *steps))
    return tuple(found)


def _unquoted(literal: str) -> str:
    return literal.lstrip("rRbB").strip("\"'")


def _hyphen_hint(skeleton: str) -> str | None:
    if not (match := _HYPHEN.search(skeleton)):
        return None
    scope, name = match.groups()
    return f'in a condition `-` is minus: write {scope}["{name}"]'


def _plain(value: Any) -> Any:
    """CEL's value as JSON has it."""
    if isinstance(value, (str, int, float)) or value is None:
        return value
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    raise TypeError(f"the result is {type(value).__name__}, which has no JSON form")
