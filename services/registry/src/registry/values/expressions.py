"""What holds small programs: fields, read when they are saved, so that the dispatcher never meets a broken one, and answers
of APIs, judged as a flow does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowlang.expressions.bodies import refuse_broken_body
from flowlang.expressions.expression import Expression
from flowlang.expressions.templates import Template
from flowlang.nodes import envelope
from flowlang.problems import NodeError
from flowlang.segments.filter import SegmentFilter
from flowlang.work import Work
from registry.values.event_names import refuse_unknown


def wrong_filter(source: str) -> str | None:
    """What is wrong with an endpoint's filter, CEL over the event; None: nothing."""
    return _wrong(_filter, source)


def wrong_template(source: str) -> str | None:
    """What is wrong with an endpoint's Liquid body; None: nothing."""
    return _wrong(_template, source)


def read_segment(source: str) -> tuple[str | None, bool]:
    """What is wrong with a segment's filter, None: nothing; and whether flows may ask for it."""
    try:
        return None, SegmentFilter(source).is_for_turns
    except ValueError as error:
        return str(error), False


def wrong_answer(body: Any, status: int | None) -> str | None:
    """Why a flow could not use this answer of an API as an envelope; None: it could."""
    try:
        envelope.read(body, status, Work())
    except NodeError as error:
        return error.detail
    return None


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
