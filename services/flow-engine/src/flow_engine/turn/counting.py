"""How often nodes are reached, and left by which port, of the turns of a batch. Pure."""

from __future__ import annotations

from typing import Any

from flow_engine.state.work import Work
from flowlang.model import Turn

MOST_TOKENS = 2**31 - 1
"""Of one step: what a model says of itself is somebody else's number."""


def count(work: Work, turn: Turn, part: int) -> None:
    """Count the nodes of a turn. `part`: its partition, of which no other transaction counts at the same time."""
    work.counting_part, counts, came = part, work.node_counts, iter(turn.reached)
    reached = next(came, -1)
    for place, step in enumerate(turn.steps):
        if "flow_id" in step:
            counts[step["flow_id"], step["flow_version"], step["node"], step.get("port"), place == reached] += 1
        if place == reached:
            reached = next(came, -1)
        if "tokens" in step:
            _count_tokens(work, step)


def _count_tokens(work: Work, step: dict[str, Any]) -> None:
    """`tokens` as an `ai` node has them; those of anybody's node that are something else are not counted."""
    told, spent = step["tokens"], work.node_tokens[step["flow_id"], step["flow_version"], step["node"]]
    for name in ("input", "output"):
        number = told.get(name) if isinstance(told, dict) else None
        if isinstance(number, int):
            spent[name] += min(max(number, 0), MOST_TOKENS)
