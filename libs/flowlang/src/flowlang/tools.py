"""What the engine lends to a turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from contracts.registry import OptOut
from flowlang.work import make_at_once, open_gate


def no_segment(name: str, make: Callable[[int], None]) -> None:
    """There are none."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What the engine lends to a turn; all of it pure.

    `sign_link(kind, payload) -> url`: kind `command` {command, person, content, redirect_to, expires_at, single_use,
    confirm, jti} or `redirect` {url, node, flow, expires_at, jti}. `bot` {id, name, variables}, `channel` {id, type, name,
    text_limit, caption_limit: flowlang.running.parts.TextLimit or None, shows: what it can show, None: all}.
    """

    sign_link: Callable[[str, dict[str, Any]], str]
    bot: dict[str, Any]
    channel: dict[str, Any]
    project_id: str
    gate: Callable[[], None] = open_gate
    """What is not cheap by its form passes it first; see flowlang.work."""
    make: Callable[[int], None] = make_at_once
    """Is told before a part of a flow is made ready to run; see flowlang.work."""
    opt_out: OptOut | None = None
    """The bot's words by which people unsubscribe."""
    segment: Callable[[str, Callable[[int], None]], Any] = no_segment
    """From a segment's name to its flowlang.segments.filter.SegmentFilter, None where there is none that can run. It is given
    `make`, which it asks before it reads a filter."""
