"""What stands in markup, run: literals, paths, ranges, comparisons, filters. The rules are python-liquid's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from liquid.builtin.expressions import (
    BooleanExpression,
    FilteredExpression,
    LoopExpression,
    Path,
    logical,
)
from liquid.builtin.expressions.primitive import (
    Blank,
    Empty,
    FalseLiteral,
    FloatLiteral,
    IntegerLiteral,
    Nil,
    RangeLiteral,
    StringLiteral,
    TrueLiteral,
)
from liquid.builtin.tags.case_tag import _AnyExpression
from liquid.builtin.tags.for_tag import ForLoop
from liquid.limits import to_int
from liquid.undefined import Undefined

from flowlang.liquid.json_text import OwnText
from flowlang.liquid.rendering import Failure, Rendering, show

_SIMPLE = frozenset((int, float, bool))


def evaluate(expression: Any, run: Rendering) -> Any:
    """The value. Raises Failure, TooCostly."""
    return EVALUATED[type(expression)](expression, run)


def _literal(expression: Any, run: Rendering) -> Any:
    return expression.value


def _text(expression: StringLiteral, run: Rendering) -> str:
    return OwnText(expression.value) if run.is_json else expression.value


def _constant(expression: Any, run: Rendering) -> Any:
    return expression


def _nil(expression: Nil, run: Rendering) -> None:
    return None


def _path(expression: Path, run: Rendering) -> Any:
    path: list[Any] = expression.path
    run.work.charge(1 + len(path) // 8)
    try:
        value = run.look_up(path[0] if type(path[0]) is not Path else _path(path[0], run))
        for step in path[1:]:
            value = _step(value, step if type(step) is not Path else _path(step, run))
    except (KeyError, TypeError, IndexError):
        return Undefined("")
    return value


def _step(value: Any, key: Any) -> Any:
    """One step of a path. Raises KeyError, TypeError, IndexError where it leads nowhere."""
    if type(value) is Undefined:
        return value
    if (type(value) is dict or type(value) is ForLoop) and key in value:
        return value[key]
    if type(key) is Undefined:
        key = None
    if key == "size" and not isinstance(value, (int, float, type(None))):
        return len(value)
    if key == "first":
        return _first(value)
    if key == "last" and isinstance(value, (list, tuple, range)):
        return value[-1]
    if isinstance(value, str):
        raise TypeError("a text has no parts")
    return value[key]


def _first(value: Any) -> Any:
    if isinstance(value, dict) and value:
        return next(iter(value.items()))
    if isinstance(value, (list, tuple, range)):
        return value[0]
    raise TypeError("nothing is first")


def _range(expression: RangeLiteral, run: Rendering) -> range:
    start, stop = (_end(evaluate(end, run)) for end in (expression.start, expression.stop))
    return range(start, stop + 1) if start <= stop else range(0)


def _end(value: Any) -> int:
    """A range's end: 0 for what is no number."""
    try:
        return _narrow(to_int(value))
    except (ValueError, TypeError):
        return 0
    except OverflowError as error:
        raise Failure("a range ends at a number") from error


def _narrow(number: int) -> int:
    if number.bit_length() > 62:
        raise Failure("the number is too big")
    return number


def is_true(value: Any) -> bool:
    """Everything but false and nothing."""
    return not (value is False or value is None or type(value) is Undefined)


def _boolean(expression: BooleanExpression, run: Rendering) -> bool:
    return is_true(evaluate(expression.expression, run))


def _and(expression: Any, run: Rendering) -> bool:
    run.work.charge(1)
    return is_true(evaluate(expression.left, run)) and is_true(evaluate(expression.right, run))


def _or(expression: Any, run: Rendering) -> bool:
    run.work.charge(1)
    return is_true(evaluate(expression.left, run)) or is_true(evaluate(expression.right, run))


def _compared(compare: Callable[[Any, Any, Rendering], bool]) -> Callable[[Any, Rendering], bool]:
    def run_it(expression: Any, run: Rendering) -> bool:
        run.work.charge(1)
        return compare(evaluate(expression.left, run), evaluate(expression.right, run), run)

    return run_it


def equal(left: Any, right: Any, run: Rendering) -> bool:
    """`==`; a bool equals no number, nothing equals what is not there. Raises TooCostly."""
    if type(left) is Undefined or type(right) is Undefined:
        return all(one is None or type(one) is Undefined for one in (left, right))
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(right, (Empty, Blank)):
        left, right = right, left
    if type(left) not in _SIMPLE and type(right) not in _SIMPLE:
        run.work.charge_for(left)
    return bool(left == right)


def _less(left: Any, right: Any, run: Rendering) -> bool:
    kinds = _ordered(left, right, run)
    if kinds is None:
        if any(one is None or type(one) is Undefined for one in (left, right)):
            return False
        raise Failure(f"'<' and '>' do not compare {type(left).__name__} with {type(right).__name__}")
    return bool(left < right)


def _less_or_equal(left: Any, right: Any, run: Rendering) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return False
    if _ordered(left, right, run):
        return bool(left <= right)
    if any(one is None or type(one) is Undefined for one in (left, right)):
        return False
    return equal(left, right, run)


def _ordered(left: Any, right: Any, run: Rendering) -> bool | None:
    """True for two texts or two numbers."""
    if isinstance(left, str) and isinstance(right, str):
        run.work.charge_for(left)
        return True
    return True if isinstance(left, (int, float)) and isinstance(right, (int, float)) else None


def _contains(left: Any, right: Any, run: Rendering) -> bool:
    if not is_true(left) or not is_true(right):
        return False
    if isinstance(left, str):
        run.work.charge_for(left)
        run.work.charge_for(right)
        return show(right) in left
    if isinstance(left, (list, tuple)):
        run.work.charge_for(left)
        return right in left
    if isinstance(left, range):
        return isinstance(right, int) and right in left
    if isinstance(left, dict):
        return isinstance(right, (str, int, float)) and right in left
    raise Failure(f"'contains' looks in a text, a list or an object, not in {type(left).__name__}")


def _swapped(compare: Callable[[Any, Any, Rendering], bool]) -> Callable[[Any, Any, Rendering], bool]:
    return lambda left, right, run: compare(right, left, run)


def _filtered(expression: FilteredExpression, run: Rendering) -> Any:
    value = evaluate(expression.left, run)
    for filter in expression.filters or ():
        positional, named = [], {}
        for argument in filter.args:
            name, given = getattr(argument, "name", None), evaluate(argument.value, run)
            if name is None:
                positional.append(given)
            else:
                named[name] = given
        value = run.filters[filter.name](run.work, value, *positional, **named)
    return value


def _when(expression: _AnyExpression, run: Rendering) -> int:
    """How many of the values after `when` it equals: the block is rendered so often."""
    left = evaluate(expression.left, run)
    run.work.charge(len(expression.expressions))
    return sum(equal(left, evaluate(right, run), run) for right in expression.expressions)


def _loop(expression: LoopExpression, run: Rendering) -> list[Any] | range | tuple[Any, ...]:
    """The items to go over, after `offset`, `limit` and `reversed`."""
    items = _items(evaluate(expression.iterable, run), run)
    length = _length(items)
    limit = None if expression.limit is None else _whole(evaluate(expression.limit, run))
    key = f"{expression.identifier}-{expression.iterable}"
    begin = _begin(expression.offset, key, run)
    end = min((limit + begin if limit is not None else 0) or length, length)
    begin = min(max(begin, 0), length)
    run.stops[key] = end
    chosen: list[Any] | range | tuple[Any, ...] = items[begin : max(end, begin)]
    run.work.charge(1 + len(chosen))
    return chosen[::-1] if expression.reversed else chosen


def _items(value: Any, run: Rendering) -> Any:
    if isinstance(value, dict):
        run.work.charge(1 + len(value))
        return list(value.items())
    if isinstance(value, str):
        return [value] if value else []
    return value if isinstance(value, (list, tuple, range)) else []


def _length(items: Any) -> int:
    try:
        return len(items)
    except OverflowError as error:
        raise Failure("the range is too long") from error


def _begin(offset: Any, key: str, run: Rendering) -> int:
    if offset is None:
        return 0
    if isinstance(offset, StringLiteral):
        return run.stops.get(key, 0) if offset.value == "continue" else _whole(offset.value)
    return _whole(evaluate(offset, run))


def _whole(value: Any) -> int:
    try:
        return _narrow(to_int(value))
    except (ValueError, TypeError, OverflowError) as error:
        raise Failure(f"an integer is expected, not {type(value).__name__}") from error


EVALUATED: dict[type, Callable[[Any, Rendering], Any]] = {
    TrueLiteral: _literal,
    FalseLiteral: _literal,
    StringLiteral: _text,
    IntegerLiteral: _literal,
    FloatLiteral: _literal,
    Nil: _nil,
    Empty: _constant,
    Blank: _constant,
    Path: _path,
    RangeLiteral: _range,
    FilteredExpression: _filtered,
    BooleanExpression: _boolean,
    LoopExpression: _loop,
    _AnyExpression: _when,
    logical.LogicalAndExpression: _and,
    logical.LogicalOrExpression: _or,
    logical.EqExpression: _compared(equal),
    logical.NeExpression: _compared(lambda left, right, run: not equal(left, right, run)),
    logical.LtExpression: _compared(_less),
    logical.GtExpression: _compared(_swapped(_less)),
    logical.LeExpression: _compared(_less_or_equal),
    logical.GeExpression: _compared(_swapped(_less_or_equal)),
    logical.ContainsExpression: _compared(_contains),
}
"""What an expression is, and how it is evaluated: what is not here does not parse."""
