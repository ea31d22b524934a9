"""CEL's functions and methods that flows may use: what is offered is defined, and nothing else is.

https://github.com/google/cel-spec/blob/master/doc/langdef.md#list-of-standard-definitions says what they do. Two are
ours: `min` and `max` of two or more values, or of a list. Months, days of a month and of a year count from 0, as there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from flowlang.cel.values import TYPES, CelError, TypeName, Unsigned, less, name_of
from flowlang.work import CHARACTERS, Work

Function = Callable[..., Any]
"""Called with the work that is left and the values. Raises CelError, TooCostly."""

_INT64, _UINT64 = 2**63, 2**64
_WHOLE = re.compile(r"[+-]?\d{1,20}", re.ASCII)
_DECIMAL = re.compile(
    r"[+-]?(?:\d{1,400}+\.?+\d{0,400}+(?:[eE][+-]?\d{1,5})?|\.\d{1,400}+(?:[eE][+-]?\d{1,5})?|inf(?:inity)?|nan)",
    re.I | re.A,
)
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_DURATION = re.compile(r"([+-]?)((?:(?:\d{1,15}(?:\.\d{0,9})?|\.\d{1,9})(?:h|ms|m|s|us|µs|ns)){1,10}|0)", re.ASCII)
_PART = re.compile(r"([\d.]+)(h|ms|m|s|us|µs|ns)")
_SECONDS = {
    "h": Decimal(3600), "m": Decimal(60), "s": Decimal(1), "ms": Decimal("1e-3"), "us": Decimal("1e-6"),
    "µs": Decimal("1e-6"), "ns": Decimal("1e-9"),
}  # fmt: skip
_TRUE, _FALSE = frozenset(("1", "t", "true", "TRUE", "True")), frozenset(("0", "f", "false", "FALSE", "False"))


def _refuse(name: str, value: Any) -> CelError:
    return CelError(f"{name}() of {name_of(value)}")


def _size(work: Work, value: Any) -> int:
    if type(value) not in (str, bytes, list, dict):
        raise _refuse("size", value)
    return len(value)


def _bounded(value: int, least: int, most: int) -> int:
    if not least <= value < most:
        raise CelError("the number has more than 64 bits")
    return value


def _int(work: Work, value: Any) -> int:
    kind = type(value)
    if kind is datetime:
        return int(value.timestamp() // 1)
    return _bounded(_whole("int", value), -_INT64, _INT64)


def _uint(work: Work, value: Any) -> Unsigned:
    return Unsigned(_bounded(_whole("uint", value), 0, _UINT64))


def _whole(name: str, value: Any) -> int:
    kind = type(value)
    if kind is int or kind is Unsigned:
        return int(value)
    if kind is float and abs(value) < 2.0**64:
        return int(value)
    if kind is str and _WHOLE.fullmatch(value):
        return int(value)
    if kind in (str, float):
        raise CelError(f"{name}() of something that is no such number")
    raise _refuse(name, value)


def _double(work: Work, value: Any) -> float:
    if type(value) in (int, Unsigned, float):
        return float(value)
    if type(value) is str:
        if not _DECIMAL.fullmatch(value):
            raise CelError("double() of a text that is no number")
        return float(value)
    raise _refuse("double", value)


def _string(work: Work, value: Any) -> str:
    kind = type(value)
    if kind is str:
        return str(value)
    if kind is int or kind is Unsigned:
        return str(int(value))
    if kind is bool:
        return "true" if value else "false"
    if kind is float:
        return _float_text(value)
    if kind is datetime:
        return _time_text(value)
    if kind is timedelta:
        return _duration_text(value)
    if kind is bytes:
        try:
            return str(value, "utf-8")
        except UnicodeDecodeError as error:
            raise CelError("string() of bytes that are no text") from error
    raise _refuse("string", value)


def _time_text(value: datetime) -> str:
    if not value.microsecond:
        return value.isoformat()
    return value.isoformat(timespec="microseconds" if value.microsecond % 1000 else "milliseconds")


def _float_text(value: float) -> str:
    if value != value or value in (float("inf"), float("-inf")):
        return {"nan": "NaN"}.get(repr(value), repr(value))
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _duration_text(value: timedelta) -> str:
    """As Go writes it: 1h0m0s, 1m30s, 1.5s, 100ms."""
    micros = abs(value) // timedelta(microseconds=1)
    sign = "-" if value < timedelta(0) else ""
    if 0 < micros < 1_000_000:
        return sign + (f"{_trim(micros, 1000)}ms" if micros >= 1000 else f"{micros}us")
    minutes, rest = divmod(micros, 60_000_000)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{_trim(rest, 1_000_000)}s"
    return sign + (f"{hours}h{minutes}m{seconds}" if hours else f"{minutes}m{seconds}" if minutes else seconds)


def _trim(value: int, unit: int) -> str:
    return format(Decimal(value) / unit, "f").rstrip("0").rstrip(".") if value % unit else str(value // unit)


def _bool(work: Work, value: Any) -> bool:
    if type(value) is bool:
        return value
    if type(value) is str and value in _TRUE | _FALSE:
        return value in _TRUE
    raise CelError("bool() of something that is neither true nor false")


def _type(work: Work, value: Any) -> TypeName:
    return TYPES[name_of(value)]


def _timestamp(work: Work, value: Any) -> datetime:
    if type(value) is datetime:
        return value
    if type(value) is not str:
        raise _refuse("timestamp", value)
    found = _TIME.fullmatch(value)
    if found is None:
        raise CelError("timestamp() takes an RFC 3339 time such as 2026-11-21T07:05:00Z")
    day, time, fraction, zone = found.groups()
    try:
        made = datetime.fromisoformat(f"{day}T{time}{(fraction or '.0')[:7]}{'+00:00' if zone in 'Zz' else zone}")
    except ValueError as error:
        raise CelError(f"timestamp(): {error}") from error
    return made if made.utcoffset() else made.replace(tzinfo=UTC)


def _duration(work: Work, value: Any) -> timedelta:
    if type(value) is timedelta:
        return value
    if type(value) is not str:
        raise _refuse("duration", value)
    found = _DURATION.fullmatch(value)
    if found is None:
        raise CelError("duration() takes hours, minutes, seconds such as 1h30m or 90s")
    seconds = sum(
        (Decimal(number.rstrip(".")) * _SECONDS[unit] for number, unit in _PART.findall(found[2])), Decimal(0)
    )
    try:
        length = timedelta(microseconds=int(seconds * 1_000_000))
    except OverflowError as error:
        raise CelError("a duration out of range") from error
    return -length if found[1] == "-" else length


def _best(better: Callable[[Any, Any, Work], bool]) -> Function:
    def choose(work: Work, *values: Any) -> Any:
        items = values[0] if len(values) == 1 and type(values[0]) is list else values
        if not items:
            raise CelError("min() and max() take at least one value")
        work.charge(1 + len(items) // 4)
        best = items[0]
        better(best, best, work)  # One alone has to have an order, too.
        for item in items[1:]:
            if better(item, best, work):
                best = item
        return best

    return choose


def _of_text(name: str, look: Callable[[str, str], bool]) -> Function:
    def call(work: Work, text: Any, part: Any) -> bool:
        if type(text) is not str or type(part) is not str:
            raise CelError(f"{name}() is for texts, not for {name_of(text)} and {name_of(part)}")
        work.charge(1 + len(text) // CHARACTERS)
        return look(text, part)

    return call


def _of_time(name: str, read: Callable[[datetime], int], length: timedelta | None = None) -> Function:
    """Of a time, the part of its clock or calendar; of a duration, how many of `length` it is."""

    def call(work: Work, value: Any) -> int:
        if type(value) is datetime:
            return read(value)
        if type(value) is timedelta and length is not None:
            whole = abs(value) // length
            return whole if value >= timedelta(0) else -whole
        raise _refuse(name, value)

    return call


def _day_of_year(value: datetime) -> int:
    return value.timetuple().tm_yday - 1


FUNCTIONS: dict[str, tuple[int, int, Function]] = {
    "size": (1, 1, _size), "int": (1, 1, _int), "uint": (1, 1, _uint), "double": (1, 1, _double), "string": (1, 1, _string),
    "bool": (1, 1, _bool), "type": (1, 1, _type), "timestamp": (1, 1, _timestamp), "duration": (1, 1, _duration),
    "min": (1, 40, _best(less)), "max": (1, 40, _best(lambda item, best, work: less(best, item, work))),
}  # fmt: skip
"""By name: how few and how many values it takes, and what it does."""

METHODS: dict[str, tuple[int, Function]] = {
    "size": (0, _size),
    "contains": (1, _of_text("contains", lambda text, part: part in text)),
    "startsWith": (1, _of_text("startsWith", str.startswith)),
    "endsWith": (1, _of_text("endsWith", str.endswith)),
    "getFullYear": (0, _of_time("getFullYear", lambda value: value.year)),
    "getMonth": (0, _of_time("getMonth", lambda value: value.month - 1)),
    "getDate": (0, _of_time("getDate", lambda value: value.day)),
    "getDayOfMonth": (0, _of_time("getDayOfMonth", lambda value: value.day - 1)),
    "getDayOfWeek": (0, _of_time("getDayOfWeek", lambda value: value.isoweekday() % 7)),
    "getDayOfYear": (0, _of_time("getDayOfYear", _day_of_year)),
    "getHours": (0, _of_time("getHours", lambda value: value.hour, timedelta(hours=1))),
    "getMinutes": (0, _of_time("getMinutes", lambda value: value.minute, timedelta(minutes=1))),
    "getSeconds": (0, _of_time("getSeconds", lambda value: value.second, timedelta(seconds=1))),
    "getMilliseconds": (
        0,
        _of_time("getMilliseconds", lambda value: value.microsecond // 1000, timedelta(milliseconds=1)),
    ),
}
"""By name: how many values it takes besides the one it is called on, and what it does. `matches` is made with its pattern."""

MACROS = frozenset(("has", "all", "exists", "exists_one", "map", "filter", "matches"))
OFFERED = frozenset(FUNCTIONS) | frozenset(METHODS) | MACROS
