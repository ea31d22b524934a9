"""Fields that hold a small program: read when they are saved, so that the dispatcher never meets a broken one."""

from __future__ import annotations

from flowlang.expressions.expression import Expression
from flowlang.expressions.templates import Template


def wrong_filter(source: str) -> str | None:
    """What is wrong with an endpoint's filter, CEL over the event; None: nothing."""
    return _wrong(Expression, source)


def wrong_template(source: str) -> str | None:
    """What is wrong with an endpoint's Liquid body; None: nothing."""
    return _wrong(Template, source)


def _wrong(kind: type[Expression | Template], source: str) -> str | None:
    try:
        kind(source)
    except ValueError as error:
        return str(error)
    return None
