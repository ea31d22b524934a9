"""What a webhook trigger of a flow accepts: `accept: {order_id: string!}` and the flow's declared variables. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ingress.wire.problems import invalid
from servicekit.web.problems import ProblemError

Check = Callable[[Any], bool]


def _is(*types: type) -> Check:
    return lambda value: isinstance(value, types) and not isinstance(value, bool)


CHECKS: dict[str, Check] = {
    "string": _is(str),
    "integer": lambda value: _is(int)(value) or (isinstance(value, float) and value.is_integer()),
    "number": _is(int, float),
    "boolean": lambda value: isinstance(value, bool),
    "array": _is(list),
    "object": _is(dict),
}
"""The language's types (flowlang.triggers.webhook, whose parsers ingress does not load; a test holds the two together)."""


class Accepts:
    """Checks the variables of one entry of one flow version."""

    def __init__(self, types: Mapping[str, str], required: frozenset[str]) -> None:
        self._types, self._required = types, required

    def check(self, variables: Mapping[str, Any]) -> None:
        """Raises ProblemError 422 with an error for each variable that is missing or of another type."""
        given = {name for name, value in variables.items() if value is not None}
        missing = self._required - given
        wrong = [name for name in self._types.keys() & given if not self._fits(name, variables[name])]
        if missing or wrong:
            raise _refusal(
                {name: f"{name} is needed ({self._types[name]})" for name in sorted(missing)}
                | {name: f"{name} must be of type {self._types[name]}" for name in sorted(wrong)}
            )

    def _fits(self, name: str, value: Any) -> bool:
        check = CHECKS.get(self._types[name])
        return check is None or check(value)


def _refusal(details: dict[str, str]) -> ProblemError:
    first = next(iter(details))
    detail = "; ".join(details.values()) + "."
    error = invalid(f"/variables/{first}", detail, type_slug="variables-wrong", title="Wrong variables")
    error.extra["errors"] = [{"pointer": f"#/variables/{name}", "detail": text} for name, text in details.items()]
    return error


def accepts_of(document: Mapping[str, Any], entry: str | None) -> Accepts | None:
    """The checks of that webhook trigger of a flow document; None when the document has no such trigger.

    A variable that the trigger does not list is checked against the flow's own declaration, where it is set in memory.
    """
    types = {
        name: declared["type"]
        for name, declared in (document.get("variables") or {}).items()
        if isinstance(declared, dict) and declared.get("scope", "memory") == "memory" and "type" in declared
    }
    if entry is None:
        return Accepts(types, frozenset())
    trigger = next(
        (t for t in document.get("triggers") or () if t.get("id") == entry and t.get("type") == "webhook"), None
    )
    if trigger is None:
        return None
    listed: dict[str, str] = trigger.get("accept") or {}
    required = frozenset(name for name, type in listed.items() if type.endswith("!"))
    return Accepts(types | {name: type.rstrip("!") for name, type in listed.items()}, required)
