"""Fields that hold a small program: parsed when they are saved, so that the dispatcher never meets a broken one."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from flowlang.expressions.expression import Expression
from flowlang.expressions.templates import Template as Liquid


def _condition(source: str) -> str:
    Expression(source)
    return source


def _template(source: str) -> str:
    Liquid(source)
    return source


Filter = Annotated[str, AfterValidator(_condition)]
"""CEL over the event; false leaves it out."""
Template = Annotated[str, AfterValidator(_template)]
"""A Liquid body."""
