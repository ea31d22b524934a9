"""Liquid bodies of endpoints with the format `template`: compiled once, a failing one ends its delivery."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from dispatcher.errors import NoRequest
from dispatcher.sending.event_scopes import EventScopes
from flowlang.problems import NodeError

if TYPE_CHECKING:
    from flowlang.expressions.templates import Template


@lru_cache(maxsize=1024)
def _compiled(source: str) -> Template:
    from flowlang.expressions.bodies import body_template  # Loads Liquid, 7 MB that a process without templates saves.

    return body_template(source)


def render(source: str, event: Mapping[str, Any]) -> str:
    """The body. Raises NoRequest when the template cannot be rendered for this event."""
    try:
        return _compiled(source).render(EventScopes(event))
    except (NodeError, ValueError) as error:
        raise NoRequest("exhausted", "template", str(error)[:500]) from error
