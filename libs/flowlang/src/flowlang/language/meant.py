"""What runs, but hardly as it was meant: warnings beside the errors of `check`."""

from __future__ import annotations

from collections.abc import Iterator, Set

from contracts.people import PROFILE_FIELDS
from flowlang import clock
from flowlang.building.compiler import Compiler
from flowlang.expressions.arguments import Given
from flowlang.expressions.operands import Operands
from flowlang.language.document import Document
from flowlang.problems import Problem, pointer

_TIMES = (("timeout", "timeout"), ("length", "for"))
"""Fields that say how long a node waits, and what documents call them."""
_KEPT_BY_OTHERS = frozenset(("live_chat",))
"""Nodes whose time is the conversation's, and goes on after the session."""
_ALIKE = {"integer": "number"}
_SHOWN = {
    "string": "a text",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}


def open_ends(document: Document, reached: Set[str]) -> Iterator[Problem]:
    """Nodes that end the path where something probably was to follow."""
    following = dict(zip(document.nodes, list(document.nodes)[1:], strict=False))
    for id, model in document.nodes.items():
        after = following.get(id)
        if needed := model.needs_port():
            message = f"the answer leads nowhere: draw `{needed}`, or say by a node `end` that nothing follows"
            yield Problem(pointer("nodes", id), "warning", "open-end", message)
        elif "next" in model.PORTS and "next" not in model.ports and after is not None and after not in reached:
            message = (
                f"the path ends here, and nothing leads to the node after it: is `ports: {{next: {after}}}` meant?"
            )
            yield Problem(pointer("nodes", id), "warning", "open-end", message)


def unhandled_calls(document: Document) -> Iterator[Problem]:
    """Nodes that ask another program, and say nowhere what is to be done when it fails."""
    for id, model in document.nodes.items():
        if model.CALLS and document.on_error is None and "error" not in model.ports:
            message = "what it asks may fail, and then the flow ends without a word: draw `error`, or name a node as the flow's `on_error`"
            yield Problem(pointer("nodes", id), "warning", "unhandled-error", message)


def waits_past_the_end(document: Document) -> Iterator[Problem]:
    """Nodes whose own time is not over before the session's is, which ends the session wherever it waits."""
    whole = clock.duration(document.session_ttl)
    for id, model in document.nodes.items():
        for field, alias in _TIMES:
            given = getattr(model, field, None)
            if model.type not in _KEPT_BY_OTHERS and given is not None and clock.duration(given) >= whole:
                message = (
                    f"the session ends {document.session_ttl} after it began, so this is never over before: raise `session_ttl`, "
                    "or let another flow that has a longer one `call` this flow"
                )
                yield Problem(pointer("nodes", id, alias), "warning", "session-ends-first", message)


def type_mismatches(document: Document, compiler: Compiler) -> Iterator[Problem]:
    """Conditions and functions that take a declared variable, or a literal, for something of another type: they fail, or
    never hold."""
    types = {("user", name): "string" for name in PROFILE_FIELDS}
    types |= {(one.scope, name): one.type for name, one in document.variables.items()}
    for compared, place in compiler.compares:
        sides = [types.get(side) if isinstance(side, tuple) else side for side in (compared.left, compared.right)]
        left, right = (_ALIKE.get(side, side) if side else None for side in sides)
        if left is not None and right is not None and left != right:
            yield Problem(place, "warning", "type-mismatch", _sentence(compared, sides))
    for taken, place in compiler.tests:
        type = types.get((taken[0], taken[1])) if isinstance(taken, tuple) else taken
        if type not in (None, "boolean"):
            name = f"{'.'.join(taken)}, of type {type}," if isinstance(taken, tuple) else f"a value of type {type}"
            yield Problem(place, "warning", "type-mismatch", f"{name} stands where true or false is needed: compare it")

    for each, place in compiler.given:
        type = types.get((each.what[0], each.what[1])) if isinstance(each.what, tuple) else each.what
        if type is not None and _ALIKE.get(type, type) not in each.wanted:
            yield Problem(place, "warning", "type-mismatch", _misgiven(each, type))


def _misgiven(given: Given, type: str) -> str:
    name = ".".join(given.what) if isinstance(given.what, tuple) else None
    shown = f"{name}, of type {type}," if name else f"a value of type {type}"
    wanted = " or ".join(_SHOWN[one] for one in given.wanted) or "a time or a duration"
    return f"{given.function}() is for {wanted}, and {shown} is none: {_instead(given, type, name)}"


def _instead(given: Given, type: str, name: str | None) -> str:
    """What was probably meant."""
    if not given.wanted:
        return f"make one of a text, timestamp({name or '…'}) or duration({name or '…'})"
    if given.function == "size":
        return "it has no length; compare it itself"
    if type == "array" and given.function == "contains" and given.is_subject:
        return f"ask `… in {name or '[…]'}`"
    if type in ("array", "object"):
        return "ask for one of its items"
    if given.wanted == ("string",):
        return f"string({name}) makes a text of it" if name else "write it in quotes"
    return "write it otherwise"


def _sentence(compared: Operands, sides: list[str | None]) -> str:
    names = [".".join(side) if isinstance(side, tuple) else None for side in (compared.left, compared.right)]
    shown = [
        f"{name}, of type {type}," if name else f"a value of type {type}"
        for name, type in zip(names, sides, strict=True)
    ]
    if names[0] is None:
        shown.reverse()
    return f"{shown[0]} does not go by `{compared.sign}` with {shown[1].rstrip(',')}: declare or write it otherwise"
