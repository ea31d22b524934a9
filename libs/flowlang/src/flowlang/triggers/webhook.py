"""`webhook`: another program starts the flow here, and which variables it may bring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import Field

from flowlang.building.compiler import Compiler
from flowlang.declared_types import DeclaredType, wrong_values
from flowlang.triggers.base import Matcher, Precedence, TriggerModel

MOST_ACCEPTED = 200


class WebhookTrigger(TriggerModel):
    """Another service starts the flow here. `accept` names its variables: `{order_id: string!}`."""

    TAKES: ClassVar = ("start",)
    PRECEDENCE: ClassVar = Precedence.EVENT
    IS_BOUNDED: ClassVar = True

    type: Literal["webhook"]
    accept: dict[str, DeclaredType] = Field(default_factory=dict)
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
        return [sentence for _, sentence in wrong_values(self.accept, variables)]
