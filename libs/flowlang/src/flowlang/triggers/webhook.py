"""`webhook`: another program starts the flow here, and which variables it may bring."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from flowlang.building.compiler import Compiler
from flowlang.triggers.base import Matcher, Precedence, TriggerModel

MOST_ACCEPTED = 200
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}
_ACCEPT = re.compile(rf"({'|'.join(_TYPES)})(!?)")


def _is_accept(text: str) -> str:
    if not _ACCEPT.fullmatch(text):
        raise ValueError(f"a type is one of {', '.join(_TYPES)}, with `!` when it is required (string!)")
    return text


AcceptType = Annotated[str, AfterValidator(_is_accept)]


class WebhookTrigger(TriggerModel):
    """Another service starts the flow here. `accept` names its variables: `{order_id: string!}`."""

    TAKES: ClassVar = ("start",)
    PRECEDENCE: ClassVar = Precedence.EVENT
    IS_BOUNDED: ClassVar = True

    type: Literal["webhook"]
    accept: dict[str, AcceptType] = Field(default_factory=dict)
    """The variables that the caller gives: name → type, with `!` when it is needed."""

    def build(self, compiler: Compiler) -> Matcher:
        if len(self.accept) > MOST_ACCEPTED and not compiler.later:
            message = f"at most {MOST_ACCEPTED} variables: each start has all of them checked"
            compiler.problem("too-many-variables", message, "accept")
        return _Webhook(self.accept)


@dataclass(frozen=True, slots=True)
class _Webhook(Matcher):
    accept: dict[str, str]

    def wrong_variables(self, variables: dict[str, Any]) -> list[str]:
        return [sentence for _, sentence in wrong_variables(self.accept, variables)]


def wrong_variables(accept: dict[str, str], variables: dict[str, Any]) -> list[tuple[str, str]]:
    """(name, what is wrong) of variables that a webhook trigger does not accept. Others than it names are let through."""
    wrong = []
    for name, text in accept.items():
        found = _ACCEPT.fullmatch(text)
        kind, required = (found.group(1), bool(found.group(2))) if found else ("string", False)
        value = variables.get(name)
        if value is None:
            if required:
                wrong.append((name, f"{name} is needed ({kind})"))
        elif not _is(kind, value):
            wrong.append((name, f"{name} must be of type {kind}"))
    return wrong


def _is(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[kind])
