"""Filters and Liquid bodies of endpoints, read once and run: what a worker process does for `programs`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from dispatcher.sending.event_scopes import EventScopes
from flowlang.expressions.bodies import body_template
from flowlang.expressions.expression import Expression
from flowlang.problems import NodeError


class ProgramFailed(Exception):
    """The program cannot be read, or fails for this event."""


_template = lru_cache(maxsize=1024)(body_template)
_condition = lru_cache(maxsize=1024)(Expression)


def render(source: str, event: Mapping[str, Any]) -> str:
    """A template's text. Raises ProgramFailed."""
    try:
        return _template(source).render(EventScopes(event))
    except (NodeError, ValueError) as error:
        raise ProgramFailed(str(error)[:500]) from error


def judge(source: str, event: Mapping[str, Any]) -> bool:
    """Whether a filter is true of the event. Raises ProgramFailed."""
    try:
        return _condition(source).evaluate(EventScopes(event)) is True
    except (NodeError, ValueError) as error:
        raise ProgramFailed(str(error)[:500]) from error
