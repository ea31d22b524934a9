"""Fields that hold a small program: parsed when they are saved, so that the dispatcher never meets a broken one."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from flowlang.expressions.bodies import refuse_broken_body
from flowlang.expressions.expression import Expression
from flowlang.expressions.templates import Template as Liquid
from registry.values.event_names import refuse_unknown


def _condition(source: str) -> str:
    refuse_unknown(Expression(source).reads)
    return source


def _template(source: str) -> str:
    refuse_broken_body(source)
    refuse_unknown(Liquid(source).reads)
    return source


Filter = Annotated[str, AfterValidator(_condition)]
"""CEL over the event; false leaves it out."""
Template = Annotated[str, AfterValidator(_template)]
"""A Liquid body."""
