"""How a conversation enters a flow: the models of triggers, and what a webhook trigger accepts."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from flowlang.expressions.patterns import Pattern, compile_pattern, escape
from flowlang.nodes.base import DocumentModel, NodeId

TriggerId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")]
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
Word = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]


class _Trigger(DocumentModel):
    id: TriggerId
    to: NodeId
    when: str | None = None
    """A CEL expression: the trigger is passed by where it is not true."""


class CommandTrigger(_Trigger):
    """A command, `/start`. From `chat`: a person types it. From `url`: only a generated URL (or a flow) runs it."""

    type: Literal["command"]
    value: Annotated[str, StringConstraints(pattern=r"^/?[^\s/@][^\s@]{0,63}$")]
    origins: tuple[Literal["chat", "url"], ...] = Field(default=("chat",), alias="from", min_length=1)


class KeywordTrigger(_Trigger):
    """Words in a message. `any` words, matched as a whole word (default), exactly, or anywhere; `pattern` is RE2."""

    type: Literal["keyword"]
    any: tuple[Word, ...] = Field(default=(), max_length=100)
    match: Literal["word", "exact", "contains"] = "word"
    pattern: str | None = Field(default=None, max_length=500)

    @model_validator(mode="after")
    def _has_something(self) -> KeywordTrigger:
        if not self.any and not self.pattern:
            raise ValueError("give words in `any`, or a `pattern`")
        if self.pattern:
            compile_pattern(self.pattern)
        return self

    def compiled(self) -> list[Pattern]:
        """RE2 expressions; one that is found makes it match."""
        shapes = {"word": r"(?i)(?:^|[^\pL\pN_]){}(?:$|[^\pL\pN_])", "exact": r"(?i)^\s*{}\s*$", "contains": r"(?i){}"}
        made = [compile_pattern(shapes[self.match].replace("{}", escape(word), 1)) for word in self.any]
        return made + ([compile_pattern(self.pattern)] if self.pattern else [])


class WebhookTrigger(_Trigger):
    """Another service starts the flow here (S2). `accept` names its variables: `{order_id: string!}`."""

    type: Literal["webhook"]
    accept: dict[str, AcceptType] = Field(default_factory=dict)


class FirstMessageTrigger(_Trigger):
    """The first message of a person that nothing else took."""

    type: Literal["first_message"]


class AnyMessageTrigger(_Trigger):
    """Every message that nothing else took."""

    type: Literal["any_message"]


class NoMatchTrigger(_Trigger):
    """A message that no other trigger took."""

    type: Literal["no_match"]


AnyTrigger = Annotated[
    CommandTrigger | KeywordTrigger | WebhookTrigger | FirstMessageTrigger | AnyMessageTrigger | NoMatchTrigger,
    Field(discriminator="type"),
]


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
