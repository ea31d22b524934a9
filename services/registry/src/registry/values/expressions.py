"""Fields that hold a small program: read when they are saved, so that the dispatcher never meets a broken one."""

from __future__ import annotations

from collections.abc import Callable

from flowlang.expressions.bodies import refuse_broken_body
from flowlang.expressions.expression import Expression
from flowlang.expressions.templates import Template
from registry.values.event_names import refuse_unknown


def wrong_filter(source: str) -> str | None:
    """What is wrong with an endpoint's filter, CEL over the event; None: nothing."""
    return _wrong(_filter, source)


def wrong_template(source: str) -> str | None:
    """What is wrong with an endpoint's Liquid body; None: nothing."""
    return _wrong(_template, source)


def _filter(source: str) -> None:
    refuse_unknown("filter", Expression(source).reads)


def _template(source: str) -> None:
    refuse_broken_body(source)
    refuse_unknown("template", Template(source).reads)


def _wrong(refuse: Callable[[str], None], source: str) -> str | None:
    try:
        refuse(source)
    except ValueError as error:
        return str(error)
    return None
