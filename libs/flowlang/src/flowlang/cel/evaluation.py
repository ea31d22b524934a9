"""A tree made ready to run: each node becomes a step that knows its own. What a loop repeats is charged at each turn of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from math import isfinite
from typing import Any

from flowlang.cel.functions import FUNCTIONS, METHODS
from flowlang.cel.parser import Node
from flowlang.cel.values import BINARY, TYPES, CelError, Missing, TypeName, Unsigned, at, fits, name_of, negative
from flowlang.patterns import Pattern, compile_pattern
from flowlang.work import CHARACTERS, Work

NODES = 4
"""Nodes of the tree that are a unit of work."""
IN_SEGMENT = "in_segment"
"""The function that is asked by the value of this name, which takes the segment's."""
_ABSENT: Any = object()


class Scene:
    """What a run of an expression sees: values by name, and the work that is left."""

    __slots__ = ("values", "work")

    def __init__(self, values: dict[str, Any], work: Work) -> None:
        self.values, self.work = values, work


Step = Callable[[Scene], Any]
"""Raises CelError (Missing among them), TooCostly."""


def compiled(node: Node) -> Step:
    """The step of a node. Raises ValueError for a pattern that is none."""
    return _KINDS[node.kind](node)


def nodes_outside_loops(node: Node) -> int:
    """Nodes that run once when `node` does."""
    children = node.children[:1] if node.kind == "loop" else node.children
    return 1 + sum(map(nodes_outside_loops, children))


def plain(value: Any, work: Work) -> Any:
    """CEL's value as JSON has it. Raises CelError for what has no JSON form, TooCostly."""
    kind = type(value)
    if value is None or kind in (bool, int):
        return value
    if kind is float:
        if not isfinite(value):
            raise CelError(f"the result is {value}, which is no number of JSON")
        return value
    if kind is str:
        work.charge(1 + len(value) // CHARACTERS)
        return value
    if kind is list:
        work.charge(1 + len(value) // 4)
        return [plain(item, work) for item in value]
    if kind is dict:
        work.charge(1 + len(value) // 4)
        return {_key_text(key): plain(item, work) for key, item in value.items()}
    if kind is Unsigned:
        return int(value)
    if kind is TypeName:
        return str(value)
    if kind is datetime:
        return value.isoformat().replace("+00:00", "Z")
    if kind is timedelta:
        return value.total_seconds()
    raise CelError(f"the result is {name_of(value)}, which has no JSON form")


def _key_text(key: Any) -> str:
    return ("true" if key else "false") if type(key) is bool else str(key)


def _literal(node: Node) -> Step:
    value = node.value
    return lambda scene: value


def _unsigned(node: Node) -> Step:
    value = Unsigned(node.value)
    return lambda scene: value


def _name(node: Node) -> Step:
    name = node.value

    def read(scene: Scene) -> Any:
        found = scene.values.get(name, _ABSENT)
        if found is not _ABSENT:
            return found
        if name in TYPES:
            return TYPES[name]
        raise CelError(f"there is no {name!r}")

    return read


def _select(node: Node) -> Step:
    field, operand = node.value, compiled(node.children[0])

    def read(scene: Scene) -> Any:
        holder = operand(scene)
        if type(holder) is not dict:
            raise CelError(f"{name_of(holder)} has no {field!r}")
        found = holder.get(field, _ABSENT)
        if found is _ABSENT:
            raise Missing(field)
        return fits(found)

    return read


def _has(node: Node) -> Step:
    field, operand = node.value, compiled(node.children[0])

    def ask(scene: Scene) -> bool:
        holder = operand(scene)
        if type(holder) is not dict:
            raise CelError(f"{name_of(holder)} has no {field!r}")
        return field in holder

    return ask


def _index(node: Node) -> Step:
    operand, key = (compiled(child) for child in node.children)
    return lambda scene: at(operand(scene), key(scene))


def _unary(node: Node) -> Step:
    operand = compiled(node.children[0])
    if node.value == "-":
        return lambda scene: negative(operand(scene))
    return lambda scene: not _truth(operand(scene))


def _truth(value: Any) -> bool:
    if type(value) is not bool:
        raise CelError(f"true or false is expected, not {name_of(value)}")
    return value


def _binary(node: Node) -> Step:
    left, right = (compiled(child) for child in node.children)
    decide = BINARY[node.value]
    return lambda scene: decide(left(scene), right(scene), scene.work)


def _decided(deciding: bool) -> Callable[[Node], Step]:
    """`||` is decided by a true part, `&&` by a false one, wherever it stands and whatever fails beside it."""

    def make(node: Node) -> Step:
        parts = tuple(compiled(child) for child in node.children)

        def decide(scene: Scene) -> bool:
            failed: CelError | None = None
            for part in parts:
                try:
                    if _truth(part(scene)) is deciding:
                        return deciding
                except CelError as error:
                    failed = failed or error
            if failed is not None:
                raise failed
            return not deciding

        return decide

    return make


def _choice(node: Node) -> Step:
    condition, chosen, other = (compiled(child) for child in node.children)
    return lambda scene: chosen(scene) if _truth(condition(scene)) else other(scene)


def _list(node: Node) -> Step:
    items = tuple(compiled(child) for child in node.children)
    return lambda scene: [item(scene) for item in items]


def _map(node: Node) -> Step:
    steps = [compiled(child) for child in node.children]
    entries = tuple(zip(steps[::2], steps[1::2], strict=True))

    def make(scene: Scene) -> dict[Any, Any]:
        made = {}
        for key_of, value_of in entries:
            key = key_of(scene)
            if type(key) not in (str, int, Unsigned, bool):
                raise CelError(f"a key is a text, a whole number or a bool, not {name_of(key)}")
            made[key] = value_of(scene)
        return made

    return make


def _call(node: Node) -> Step:
    name, given = node.value, len(node.children)
    if name == IN_SEGMENT:
        segment = node.children[0].value
        return lambda scene: scene.values[IN_SEGMENT](segment)
    fewest, most, function = FUNCTIONS.get(name, (1, 0, None))
    if function is None or not fewest <= given <= most:
        return _no_function(name, given)
    if given == 1:
        only = compiled(node.children[0])
        return lambda scene: function(scene.work, only(scene))
    arguments = tuple(compiled(child) for child in node.children)
    return lambda scene: function(scene.work, *(argument(scene) for argument in arguments))


def _method(node: Node) -> Step:
    name = node.value
    if name == "matches":
        return _matches(node)
    taken, function = METHODS.get(name, (-1, None))
    if function is None or len(node.children) != taken + 1:
        return _no_function(name, len(node.children) - 1)
    arguments = tuple(compiled(child) for child in node.children)
    return lambda scene: function(scene.work, *(argument(scene) for argument in arguments))


def _no_function(name: str, given: int) -> Step:
    def fail(scene: Scene) -> Any:
        raise CelError(f"there is no {name}() for {given} values")

    return fail


def _matches(node: Node) -> Step:
    operand = compiled(node.children[0])
    pattern: Pattern = compile_pattern(node.children[1].value)

    def search(scene: Scene) -> bool:
        text = operand(scene)
        if type(text) is not str:
            raise CelError(f"matches() is for texts, not for {name_of(text)}")
        scene.work.charge(pattern.units(text))
        return pattern.search(text) is not None

    return search


def _loop(node: Node) -> Step:
    macro, variable = node.value
    over, *bodies = (compiled(child) for child in node.children)
    units = 1 + sum(map(nodes_outside_loops, node.children[1:])) // NODES
    run = _LOOPS[macro]

    def loop(scene: Scene) -> Any:
        holder = over(scene)
        if type(holder) not in (list, dict):
            raise CelError(f"{macro}() goes over a list or an object, not over {name_of(holder)}")
        inner = Scene(dict(scene.values), scene.work)

        def turns() -> Iterable[Any]:
            for item in fits(holder):
                inner.work.charge(units)
                inner.values[variable] = item
                yield item

        return run(turns(), inner, *bodies)

    return loop


def _all(items: Iterable[Any], scene: Scene, body: Step) -> bool:
    return all(_truth(body(scene)) for _ in items)


def _exists(items: Iterable[Any], scene: Scene, body: Step) -> bool:
    return any(_truth(body(scene)) for _ in items)


def _exists_one(items: Iterable[Any], scene: Scene, body: Step) -> bool:
    return sum(_truth(body(scene)) for _ in items) == 1


def _filtered(items: Iterable[Any], scene: Scene, body: Step) -> list[Any]:
    return [item for item in items if _truth(body(scene))]


def _mapped(items: Iterable[Any], scene: Scene, *bodies: Step) -> list[Any]:
    if len(bodies) == 1:
        return [bodies[0](scene) for _ in items]
    return [bodies[1](scene) for _ in items if _truth(bodies[0](scene))]


_LOOPS: dict[str, Callable[..., Any]] = {
    "all": _all, "exists": _exists, "exists_one": _exists_one, "filter": _filtered, "map": _mapped,
}  # fmt: skip
_KINDS: dict[str, Callable[[Node], Step]] = {
    "literal": _literal, "unsigned": _unsigned, "name": _name, "select": _select, "has": _has, "index": _index,
    "unary": _unary, "binary": _binary, "and": _decided(False), "or": _decided(True), "choice": _choice, "list": _list,
    "map": _map, "call": _call, "method": _method, "loop": _loop,
}  # fmt: skip
