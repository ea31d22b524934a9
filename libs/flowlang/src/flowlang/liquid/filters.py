"""The filters of merge tags: an allow-list, each with its cost charged and its result bounded.

A filter pays for what it reads and makes before the next one runs, and the ones that could make much out of little
(replace, join, round, date), or take long over it (uniq, sort), are written here. Whatever a filter raises is the
template's failure: a person may write `inf` where a number is meant.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from liquid import Environment
from liquid.filter import sequence_filter
from liquid.undefined import Undefined

from flowlang.clock import moment
from flowlang.liquid.json_text import JsonText, to_json
from flowlang.liquid.rendering import Failure
from flowlang.work import Work

LONGEST_RESULT = 64 * 1024
LONGEST_LIST = 1000
WIDEST_NUMBER = 128
"""Bits of an integer."""

BUILT_IN = (
    "abs", "append", "at_least", "at_most", "capitalize", "ceil", "compact", "concat", "default", "divided_by", "downcase",
    "escape", "first", "floor", "last", "lstrip", "minus", "modulo", "plus", "prepend", "remove", "remove_first",
    "replace_first", "reverse", "rstrip", "size", "slice", "sort", "split", "squish", "strip", "sum", "times", "truncate",
    "truncatewords", "upcase", "url_encode", "where",
)  # fmt: skip
_DATE_FORMAT = re.compile(r"(?:[^%]|%[-]?[aAbBdHIjmMpSyYzZ%]){0,64}")

_NO_KEY = object()

Filter = Callable[..., Any]
"""Called with the work that is left, the value and the arguments. Raises Failure, TooCostly."""


def allowed(environment: Environment) -> dict[str, Filter]:
    """The filters of `environment` that merge tags may use, bounded, and those of this module."""
    own: dict[str, Filter] = {
        "replace": _replace,
        "join": _join,
        "round": _round,
        "date": _date,
        "uniq": _uniq,
        "json": _json,
        "map": _by_one_key(environment.filters["map"]),
    }
    return {name: _bounded(name, environment.filters[name], environment) for name in BUILT_IN} | {
        name: _bounded(name, function, environment) for name, function in own.items()
    }


def _bounded(name: str, function: Filter, environment: Environment) -> Filter:
    fixed = {"environment": environment} if getattr(function, "with_environment", False) else {}
    dearer = _DEARER.get(name)

    def call(work: Work, value: Any, *args: Any, **kwargs: Any) -> Any:
        for part in (value, *args, *kwargs.values()):
            _pay(name, part, work)
        if dearer is not None:
            dearer(value, work)
        try:
            result = function(value, *args, **kwargs, **fixed)
        except Failure:
            raise
        except Exception as error:
            raise Failure(f"{name}: {str(error)[:150] or type(error).__name__}") from error
        _pay(name, result, work)
        return result

    return call


def _pay(name: str, value: Any, work: Work) -> None:
    """Charge a value. Raises Failure when it is too big to be one, TooCostly."""
    if isinstance(value, str):
        _fits(name, len(value))
    elif isinstance(value, (list, tuple, range)):
        if value[LONGEST_LIST:]:  # A range may have more items than len() can tell.
            raise Failure(f"{name}: a list of more than {LONGEST_LIST} items")
    elif isinstance(value, int) and value.bit_length() > WIDEST_NUMBER:
        raise Failure(f"{name}: the number is too big")
    work.charge_for(value)


def _charge_for_order(value: Any, work: Work) -> None:
    """Sorting compares each item with some ten others."""
    for _ in range(9):
        work.charge_for(value)


def _charge_for_pairs(value: Any, work: Work) -> None:
    """Objects and lists are compared each with all before it; texts and numbers are found by their hash."""
    if isinstance(value, (list, tuple)):
        before = work.left
        work.charge_for(value)
        work.charge(sum(isinstance(item, (dict, list, tuple)) for item in value) * (before - work.left) // 2)


_DEARER: dict[str, Callable[[Any, Work], None]] = {"sort": _charge_for_order, "uniq": _charge_for_pairs}


def _text(value: Any) -> str:
    return "" if value is None or type(value) is Undefined else str(value)


def _fits(name: str, length: int) -> None:
    if length > LONGEST_RESULT:
        raise Failure(f"{name}: a text longer than {LONGEST_RESULT} characters")


def _by_one_key(function: Filter) -> Filter:
    """The library makes the text of the key for each item anew, however long that is."""
    return lambda items, key: function(items, str(key))


def _json(value: Any) -> JsonText:
    """The value as JSON: a text in quotes."""
    return JsonText(to_json(value))


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


@sequence_filter
def _uniq(items: list[Any], key: Any = None) -> list[Any]:
    seen: set[Any] = set()
    others: list[Any] = []
    kept = []
    for item in items:
        probe = item if key is None or not isinstance(item, dict) else item.get(key, _NO_KEY)
        known: Any = others if isinstance(probe, (dict, list, tuple)) else seen
        if probe not in known:
            known.append(probe) if known is others else known.add(probe)
            kept.append(item)
    return kept


def _round(value: Any, digits: Any = 0) -> int | float:
    try:
        number, places = float(value), int(digits)
    except (TypeError, ValueError, OverflowError) as error:
        raise Failure("round: takes numbers") from error
    if not 0 <= places <= 12:
        raise Failure("round: 0 to 12 places")
    if not math.isfinite(number):
        raise Failure("round: takes a number that has an end")
    return round(number, places) if places else round(number)


def _date(value: Any, form: Any) -> str:
    """An RFC 3339 time or date by a strftime format without widths. `now` is `system.now`: there is no clock here."""
    if not isinstance(form, str) or not _DATE_FORMAT.fullmatch(form):
        raise Failure("date: a format such as '%d.%m.%Y %H:%M'")
    try:
        return moment(_text(value)).strftime(form)
    except ValueError as error:
        raise Failure("date: takes an RFC 3339 time such as system.now") from error
