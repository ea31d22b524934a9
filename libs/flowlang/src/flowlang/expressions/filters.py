"""The filters of merge tags: an allow-list, each with its cost charged and its result bounded.

python-liquid's own limits count output, not what a filter makes on the way: 212 characters of chained `replace` made
10 MB. So every filter pays for what it reads and makes before the next one runs, and the ones that could make much out
of little (replace, join, round, date) are written here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Protocol

from liquid import Environment
from liquid.exceptions import FilterArgumentError
from liquid.filter import with_context
from liquid.undefined import Undefined

from flowlang.clock import moment

LONGEST_RESULT = 64 * 1024
LONGEST_LIST = 1000
WIDEST_NUMBER = 128
"""Bits of an integer."""

BUILT_IN = (
    "abs", "append", "at_least", "at_most", "capitalize", "ceil", "compact", "concat", "default", "divided_by", "downcase",
    "escape", "first", "floor", "last", "lstrip", "map", "minus", "modulo", "plus", "prepend", "remove", "remove_first",
    "replace_first", "reverse", "rstrip", "size", "slice", "sort", "split", "squish", "strip", "sum", "times", "truncate",
    "truncatewords", "uniq", "upcase", "url_encode", "where",
)  # fmt: skip
_DATE_FORMAT = re.compile(r"(?:[^%]|%[-]?[aAbBdHIjmMpSyYzZ%]){0,64}")


class Charged(Protocol):
    """A render context that counts work."""

    env: Environment

    def charge(self, units: int) -> None:
        """Count work. Raises LiquidError past the budget."""


Filter = Callable[..., Any]


def allowed(environment: Environment) -> dict[str, Filter]:
    """The filters of `environment` that merge tags may use, bounded, and those of this module."""
    own: dict[str, Filter] = {"replace": _replace, "join": _join, "round": _round, "date": _date}
    return {name: _bounded(name, environment.filters[name]) for name in BUILT_IN} | {
        name: _bounded(name, function) for name, function in own.items()
    }


def _bounded(name: str, function: Filter) -> Filter:
    needs_environment = getattr(function, "with_environment", False)

    def call(value: Any, *args: Any, context: Charged, **kwargs: Any) -> Any:
        for part in (value, *args):
            context.charge(_weight(name, part))
        if needs_environment:
            kwargs["environment"] = context.env
        result = function(value, *args, **kwargs)
        context.charge(_weight(name, result))
        return result

    return with_context(call)  # type: ignore[no-untyped-call, no-any-return, unused-ignore]


def _weight(name: str, value: Any) -> int:
    """Units of work that a value costs. Raises FilterArgumentError when it is too big to be one."""
    if isinstance(value, str):
        if len(value) > LONGEST_RESULT:
            raise FilterArgumentError(f"{name}: a text longer than {LONGEST_RESULT} characters", token=None)
        return 1 + len(value) // 256
    if isinstance(value, (list, tuple, range, dict)):
        if len(value) > LONGEST_LIST and not isinstance(value, dict):
            raise FilterArgumentError(f"{name}: a list of more than {LONGEST_LIST} items", token=None)
        return 1 + len(value) // 8
    if isinstance(value, int) and value.bit_length() > WIDEST_NUMBER:
        raise FilterArgumentError(f"{name}: the number is too big", token=None)
    return 1


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, Undefined) else str(value)


def _fits(name: str, length: int) -> None:
    if length > LONGEST_RESULT:
        raise FilterArgumentError(f"{name}: a text longer than {LONGEST_RESULT} characters", token=None)


def _replace(value: Any, old: Any, new: Any = "") -> str:
    text, old_text, new_text = _text(value), _text(old), _text(new)
    _fits("replace", len(text) + text.count(old_text) * (len(new_text) - len(old_text)))
    return text.replace(old_text, new_text)


def _join(value: Any, separator: Any = " ") -> str:
    if isinstance(value, (str, dict)) or not hasattr(value, "__iter__"):
        return _text(value)
    between, total = _text(separator), 0
    parts = []
    for item in value:
        parts.append(_text(item))
        total += len(parts[-1]) + len(between)
        _fits("join", total)
    return between.join(parts)


def _round(value: Any, digits: Any = 0) -> int | float:
    try:
        number, places = float(value), int(digits)
    except (TypeError, ValueError, OverflowError) as error:
        raise FilterArgumentError("round: takes numbers", token=None) from error
    if not 0 <= places <= 12:
        raise FilterArgumentError("round: 0 to 12 places", token=None)
    return round(number, places) if places else round(number)


def _date(value: Any, form: Any) -> str:
    """An RFC 3339 time or date by a strftime format without widths. `now` is `system.now`: there is no clock here."""
    if not isinstance(form, str) or not _DATE_FORMAT.fullmatch(form):
        raise FilterArgumentError("date: a format such as '%d.%m.%Y %H:%M'", token=None)
    try:
        return moment(_text(value)).strftime(form)
    except ValueError as error:
        raise FilterArgumentError("date: takes an RFC 3339 time such as system.now", token=None) from error
