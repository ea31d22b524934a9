"""JMESPath over an API's answer: the functions that are offered, each node that is visited counted, and what it makes.

119 characters of it made 12.6 MB, and `join(to_string(@), @)` 1.4 GB of 64 KiB.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions, signature
from jmespath.visitor import Options, TreeInterpreter

from flowlang.problems import NodeError
from flowlang.work import TooCostly, Work

LONGEST_SOURCE = 500
DEEPEST_SELECT = 3
DEEPEST_TREE = 64
MOST_NODES = 5000
LONGEST_RESULT = 64 * 1024
UNITS_A_CHARACTER = 3
"""Of work (flowlang.work) to parse it, where it is densest."""
FUNCTIONS = frozenset((
    "abs", "avg", "ceil", "contains", "ends_with", "floor", "join", "keys", "length", "map", "max", "max_by", "merge", "min",
    "min_by", "not_null", "reverse", "sort", "sort_by", "starts_with", "sum", "to_array", "to_number", "to_string", "type",
    "values",
))  # fmt: skip
_ORDERED = frozenset((int, float, str))
_SELECTS = frozenset(("multi_select_list", "multi_select_dict"))


class JsonPath:
    """A parsed JMESPath expression."""

    __slots__ = ("_tree", "source")

    def __init__(self, source: str, *, later: bool = False) -> None:
        """`later`: it is parsed when it is first used, and fails then if it is wrong.

        Raises ValueError when it does not parse, nests too much or calls what is not offered.
        """
        self.source = source
        self._tree: Any = None
        if not later:
            self._parse()

    def _parse(self) -> None:
        source = self.source
        if len(source) > LONGEST_SOURCE:
            raise ValueError(f"a JMESPath expression has at most {LONGEST_SOURCE} characters")
        try:
            tree: Any = jmespath.compile(source).parsed
        except JMESPathError as error:
            raise ValueError(f"not a JMESPath expression: {str(error).splitlines()[0][:200]}") from error
        except (RecursionError, ValueError) as error:
            raise ValueError("not a JMESPath expression: nested too deeply, or a number too long") from error
        _refuse_costly(tree)
        self._tree = tree

    def find(self, body: Any, work: Work) -> Any:
        """The part of `body` that it selects, None when there is none. Raises NodeError when that is too big."""
        work.begin()
        if self._tree is None:
            self._parse_now(work)
        try:
            found = _Interpreter(work).visit(self._tree, body)
        except TooCostly as error:
            raise NodeError("json-path", f"{self.source!r}: {error}") from error
        except Exception as error:  # Whatever a user's program ends with is its own failure.
            detail = str(error)[:200] if isinstance(error, (JMESPathError, TypeError)) else type(error).__name__
            raise NodeError("json-path", f"{self.source!r}: {detail}") from error
        _refuse_big(found, self.source)
        return found

    def _parse_now(self, work: Work) -> None:
        work.make(1 + len(self.source) * UNITS_A_CHARACTER)
        try:
            self._parse()
        except ValueError as error:
            raise NodeError("json-path", f"{self.source[:60]!r}: {error}") from error


class _Functions(Functions):
    """Each call pays for its arguments, with all that is in them, and for what it makes."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def call_function(self, function_name: str, resolved_args: Iterable[Any]) -> Any:
        for argument in resolved_args:
            self._work.charge_for(argument)
            if function_name in ("sort", "sort_by"):
                self._work.charge(10 * len(argument) if isinstance(argument, list) else 1)
        result = super().call_function(function_name, resolved_args)
        self._work.charge_for(result)
        return result

    @signature({"types": ["string"]}, {"types": ["array-string"]})
    def _func_join(self, separator: str, array: list[str]) -> str:
        """Its size is known before it is made."""
        if sum(map(len, array)) + len(separator) * len(array) > LONGEST_RESULT:
            raise TooCostly(f"join() makes more than {LONGEST_RESULT} characters")
        return separator.join(array)


class _Interpreter(TreeInterpreter):
    """Each visit of a node is charged, and the lists that are gone over or copied."""

    def __init__(self, work: Work) -> None:
        super().__init__(Options(custom_functions=_Functions(work)))
        self._work = work

    def visit(self, node: Any, value: Any) -> Any:
        self._work.charge(1)
        return getattr(self, _VISITORS[node["type"]])(node, value)

    def visit_comparator(self, node: Any, value: Any) -> Any:
        left, right = (self.visit(child, value) for child in node["children"])
        sign = node["value"]
        if sign in ("eq", "ne"):
            self._work.charge_for(left)
        elif not (type(left) in _ORDERED and type(right) in _ORDERED):
            return None
        return self.COMPARATOR_FUNC[sign](left, right)

    def visit_flatten(self, node: Any, value: Any) -> Any:
        return self._paid(super().visit_flatten(node, value))

    def visit_slice(self, node: Any, value: Any) -> Any:
        return self._paid(super().visit_slice(node, value))

    def _paid(self, made: Any) -> Any:
        if isinstance(made, list):
            self._work.charge(1 + len(made) // 4)
        return made


_VISITORS = {name.removeprefix("visit_"): name for name in dir(_Interpreter) if name.startswith("visit_")}


def _refuse_costly(tree: Any) -> None:
    """Raises ValueError. A multi-select can multiply its input, wherever it stands."""
    selects, waiting = 0, [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        if depth > DEEPEST_TREE:
            raise ValueError("not a JMESPath expression: it is nested too deeply")
        selects += node["type"] in _SELECTS
        if node["type"] == "function_expression" and node["value"] not in FUNCTIONS:
            raise ValueError(f"there is no function {node['value']!r}; there are: {', '.join(sorted(FUNCTIONS))}")
        waiting.extend((child, depth + 1) for child in node.get("children", ()) if isinstance(child, dict))
    if selects > DEEPEST_SELECT:
        raise ValueError(f"selections ([a, b] or {{a: b}}) may follow or hold each other {DEEPEST_SELECT} times")


def _refuse_big(found: Any, source: str) -> None:
    nodes, characters, waiting = 0, 0, [found]
    while waiting:
        value = waiting.pop()
        nodes += 1
        if isinstance(value, str):
            characters += len(value)
        elif isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        if nodes + len(waiting) > MOST_NODES or characters > LONGEST_RESULT:
            raise NodeError(
                "json-path", f"{source!r} selects more than {MOST_NODES} values or {LONGEST_RESULT} characters"
            )
