"""CEL's values and its operators on them. Plain JSON values stand for themselves; nothing is copied on the way in.

CEL does not convert between types: `1 + 1.0` is an error; only `==` and the orders compare numbers of different types.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from flowlang.work import CHARACTERS, ITEMS, TooCostly, Work

LONGEST_TEXT = 64 * 1024
LONGEST_LIST = 1000
_INT64, _UINT64 = 2**63, 2**64


class CelError(Exception):
    """An error of the expression, as CEL has it: `||`, `&&` may pass over it."""


class Missing(CelError):
    """A name or key that is not there."""


class Unsigned(int):
    """CEL's uint."""

    __slots__ = ()


class TypeName(str):
    """What `type(x)` gives: equal to another type's name, never to a text."""

    __slots__ = ()


NAMES: dict[type, str] = {
    int: "int", Unsigned: "uint", float: "double", str: "string", bool: "bool", bytes: "bytes", list: "list", dict: "map",
    type(None): "null_type", TypeName: "type", datetime: "timestamp", timedelta: "duration",
}  # fmt: skip
TYPES = {name: TypeName(name) for name in NAMES.values()}
_NUMBERS = frozenset((int, Unsigned, float))
_ORDERED = frozenset((int, Unsigned, float, str, bool, bytes, datetime, timedelta))


def name_of(value: Any) -> str:
    """The name of a value's type."""
    return NAMES.get(type(value), type(value).__name__)


def fits(value: Any) -> Any:
    """The value, if it is not too big for an expression. Raises TooCostly."""
    kind = type(value)
    if kind is str:
        if len(value) > LONGEST_TEXT:
            raise TooCostly(f"a text of more than {LONGEST_TEXT} characters")
    elif (kind is list or kind is dict) and len(value) > LONGEST_LIST:
        raise TooCostly(f"a list or object of more than {LONGEST_LIST} items")
    return value


def equal(left: Any, right: Any, work: Work) -> bool:
    """`==`: deep, numbers by their value, values of different types never equal. Raises TooCostly."""
    kind = type(left)
    if kind is not type(right):
        return kind in _NUMBERS and type(right) in _NUMBERS and bool(left == right)
    if kind is str:
        if len(left) > CHARACTERS and len(left) == len(right):
            work.charge(len(left) // CHARACTERS)
        return bool(left == right)
    if kind is list:
        work.charge(1 + len(left) // ITEMS)
        return len(left) == len(right) and all(equal(a, b, work) for a, b in zip(left, right, strict=True))
    if kind is dict:
        work.charge(1 + len(left) // ITEMS)
        return left.keys() == right.keys() and all(equal(value, right[key], work) for key, value in left.items())
    work.charge(1)
    return bool(left == right)


def contains(needle: Any, holder: Any, work: Work) -> bool:
    """`in`: an item of a list, a key of an object. Raises CelError, TooCostly."""
    if type(holder) is dict:
        return _key(needle) in holder
    if type(holder) is not list:
        raise CelError(f"`in` looks in a list or an object, not in {name_of(holder)}")
    work.charge(1 + len(fits(holder)) // 4)
    return any(equal(needle, item, work) for item in holder)


def _key(key: Any) -> Any:
    if type(key) not in (str, int, Unsigned, bool):
        raise CelError(f"a key is a text, a whole number or a bool, not {name_of(key)}")
    return key


def at(holder: Any, key: Any) -> Any:
    """`holder[key]`. Raises Missing for a key that an object has not, CelError."""
    if type(holder) is dict:
        try:
            return fits(holder[_key(key)])
        except KeyError:
            raise Missing(str(key)) from None
    if type(holder) is not list or type(key) not in (int, Unsigned):
        raise CelError(f"{name_of(holder)} has nothing at {name_of(key)}")
    if not 0 <= key < len(holder):
        raise CelError(f"index out of bounds: {key}")
    return fits(holder[key])


def _order(name: str, compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any, Work], bool]:
    def decide(left: Any, right: Any, work: Work) -> bool:
        one, other = type(left), type(right)
        if not (one in _ORDERED and one is other) and not (one in _NUMBERS and other in _NUMBERS):
            raise CelError(f"{one_line(name, left, right)}: there is no such order")
        if one is str or one is bytes:
            work.charge(1 + min(len(left), len(right)) // CHARACTERS)
        if left != left or right != right:
            raise CelError("NaN has no order")
        return compare(left, right)

    return decide


def one_line(sign: str, left: Any, right: Any) -> str:
    """An operation as a message names it."""
    return f"{name_of(left)} {sign} {name_of(right)}"


def _whole(value: int, kind: type[int]) -> int:
    """A result in its 64 bits. Raises CelError."""
    if kind is Unsigned:
        if not 0 <= value < _UINT64:
            raise CelError("the result has more than 64 bits")
        return Unsigned(value)
    if not -_INT64 <= value < _INT64:
        raise CelError("the result has more than 64 bits")
    return value


def add(left: Any, right: Any, work: Work) -> Any:
    """`+` of numbers, texts, bytes, lists, times. Raises CelError, TooCostly."""
    kind = type(left)
    if kind is type(right):
        if kind is int or kind is Unsigned:
            return _whole(int(left) + int(right), kind)
        if kind is float:
            return left + right
        if kind in (str, bytes, list):
            work.charge(1 + (len(left) + len(right)) // (4 if kind is list else CHARACTERS))
            return fits(left + right)
        if kind is timedelta:
            return _moved(operator.add, left, right)
    elif kind is datetime and type(right) is timedelta:
        return _moved(operator.add, left, right)
    raise CelError(f"{one_line('+', left, right)}: the types must be the same")


def subtract(left: Any, right: Any, work: Work) -> Any:
    """`-` of numbers and times. Raises CelError."""
    kind = type(left)
    if kind is type(right):
        if kind is int or kind is Unsigned:
            return _whole(int(left) - int(right), kind)
        if kind is float:
            return left - right
        if kind is timedelta or kind is datetime:
            return _moved(operator.sub, left, right)
    elif kind is datetime and type(right) is timedelta:
        return _moved(operator.sub, left, right)
    raise CelError(f"{one_line('-', left, right)}: the types must be the same")


def _moved(move: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    try:
        return move(left, right)
    except OverflowError as error:
        raise CelError("a time out of range") from error


def multiply(left: Any, right: Any, work: Work) -> Any:
    """`*` of two numbers of a type. Raises CelError."""
    kind = type(left)
    if kind is not type(right) or kind not in _NUMBERS:
        raise CelError(f"{one_line('*', left, right)}: two numbers of one type are multiplied")
    return left * right if kind is float else _whole(int(left) * int(right), kind)


def divide(left: Any, right: Any, work: Work) -> Any:
    """`/` of two numbers of a type; whole numbers towards zero. Raises CelError."""
    kind = type(left)
    if kind is not type(right) or kind not in _NUMBERS:
        raise CelError(f"{one_line('/', left, right)}: two numbers of one type are divided")
    if kind is float:
        return left / right if right else _by_zero(left, right)
    quotient, _ = _divided(left, right)
    return _whole(quotient, kind)


def _by_zero(left: float, zero: float) -> float:
    """As IEEE 754 has it."""
    return math.copysign(math.inf, left) * math.copysign(1, zero) if left and left == left else math.nan


def remainder(left: Any, right: Any, work: Work) -> Any:
    """`%` of two whole numbers, with the sign of the left one. Raises CelError."""
    kind = type(left)
    if kind is not type(right) or kind not in (int, Unsigned):
        raise CelError(f"{one_line('%', left, right)}: two whole numbers of one type have a remainder")
    _, rest = _divided(left, right)
    return _whole(rest, kind)


def _divided(left: int, right: int) -> tuple[int, int]:
    if right == 0:
        raise CelError("division by zero")
    quotient = abs(int(left)) // abs(int(right))
    quotient = quotient if (left < 0) == (right < 0) else -quotient
    return quotient, int(left) - quotient * int(right)


def negative(value: Any) -> Any:
    """`-value`. Raises CelError."""
    if type(value) is float:
        return -value
    if type(value) is int:
        return _whole(-value, int)
    raise CelError(f"- of {name_of(value)}")


less = _order("<", operator.lt)
BINARY: dict[str, Callable[[Any, Any, Work], Any]] = {
    "==": equal,
    "!=": lambda left, right, work: not equal(left, right, work),
    "<": less,
    "<=": _order("<=", operator.le),
    ">": _order(">", operator.gt),
    ">=": _order(">=", operator.ge),
    "in": contains,
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": remainder,
}
