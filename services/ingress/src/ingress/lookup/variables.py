"""What a webhook trigger of a flow accepts: `accept: {order_id: string!}` and the flow's declared variables. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from ingress.wire.problems import invalid
from servicekit.web.problems import ProblemError

Check = Callable[[Any], bool]
MOST_TOLD = 20
"""Variables that a refusal tells of: a body may have 50,000 that are not accepted."""
MOST_COMPARED = 100
"""Names that a mistyped one is compared with, which takes up to 0.1 ms for each."""


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
    """Checks the variables of one entry of one flow version. `only`: others than these are refused; None: let through."""

    def __init__(self, types: Mapping[str, str], required: frozenset[str], only: frozenset[str] | None = None) -> None:
        self._types, self._required, self._only = types, required, only

    def check(self, variables: Mapping[str, Any]) -> None:
        """Raises ProblemError 422 with an error for each variable that is missing, unknown or of another type."""
        given = {name for name, value in variables.items() if value is not None}
        missing = self._required - given
        wrong = [name for name in self._types.keys() & given if not self._fits(name, variables[name])]
        unknown = () if self._only is None else variables.keys() - self._only
        if missing or wrong or unknown:
            raise _refusal(
                {name: self._not_accepted(name) for name in sorted(unknown)[:MOST_TOLD]}
                | {name: f"{name} is needed ({self._types[name]})" for name in sorted(missing)[:MOST_TOLD]}
                | {name: f"{name} must be of type {self._types[name]}" for name in sorted(wrong)[:MOST_TOLD]}
            )

    def _not_accepted(self, name: str) -> str:
        only = sorted(self._only or ())[:MOST_COMPARED]
        near = get_close_matches(name[:100], only, 1)
        meant = f" (is {near[0]} meant?)" if near else f"; there are {', '.join(only)}"
        return f"the entry accepts no {name[:100]}{meant}"

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
    A trigger that lists any takes no others than these and the declared ones.
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
    known = types | {name: type.rstrip("!") for name, type in listed.items()}
    return Accepts(known, required, frozenset(known) if listed else None)
