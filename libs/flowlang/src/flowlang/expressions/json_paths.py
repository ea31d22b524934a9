"""JMESPath over an API's answer, its result counted before anything serialises it.

119 characters of it made 12.6 MB: a multi-select copies what it selects from. So their depth and the result are bounded.
"""

from __future__ import annotations

from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from flowlang.problems import NodeError

LONGEST_SOURCE = 500
DEEPEST_SELECT = 3
MOST_NODES = 5000
LONGEST_RESULT = 64 * 1024
_SELECTS = frozenset(("multi_select_list", "multi_select_dict"))


class JsonPath:
    """A parsed JMESPath expression."""

    __slots__ = ("_compiled", "source")

    def __init__(self, source: str) -> None:
        """Raises ValueError when it does not parse or nests too many selections."""
        if len(source) > LONGEST_SOURCE:
            raise ValueError(f"a JMESPath expression has at most {LONGEST_SOURCE} characters")
        try:
            self._compiled: Any = jmespath.compile(source)
        except (JMESPathError, RecursionError) as error:
            raise ValueError(f"not a JMESPath expression: {str(error).splitlines()[0][:200]}") from error
        if _selects(self._compiled.parsed) > DEEPEST_SELECT:
            raise ValueError(f"selections ([a, b] or {{a: b}}) may follow or hold each other {DEEPEST_SELECT} times")
        self.source = source

    def find(self, body: Any) -> Any:
        """The part of `body` that it selects, None when there is none. Raises NodeError when that is too big."""
        try:
            found = self._compiled.search(body)
        except (JMESPathError, TypeError, ValueError) as error:
            raise NodeError("json-path", f"{self.source!r}: {str(error)[:200]}") from error
        _refuse_big(found, self.source)
        return found


def _selects(node: Any) -> int:
    """How many multi-selects there are: each can multiply its input, wherever it stands."""
    own = 1 if node.get("type") in _SELECTS else 0
    children = [child for child in node.get("children", ()) if isinstance(child, dict)]
    return own + sum(map(_selects, children))


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
