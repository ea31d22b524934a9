"""How often nodes were reached and left: added by each batch, read by flow and version."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import NamedTuple

from flow_engine.state.work import Work
from servicekit.columns import Columns
from servicekit.loop.batches import Connection

KEPT_DAYS = 90
REACHED = ""
"""In the place of a port."""


class CountRow(NamedTuple):
    """What a batch adds. `port`: empty for those that reached the node."""

    flow_id: str
    flow_version: int
    node: str
    port: str
    part: int
    times: int
    input_tokens: int
    output_tokens: int


COUNTED = Columns(CountRow, "text int text text int bigint bigint bigint")
ADDED = """
ON CONFLICT (flow_id, flow_version, saved_on, part, node, port) DO UPDATE
SET times = node_count.times + excluded.times, input_tokens = node_count.input_tokens + excluded.input_tokens,
    output_tokens = node_count.output_tokens + excluded.output_tokens
"""
_READ = """
SELECT node, port, sum(times)::bigint AS times, sum(input_tokens)::bigint AS input_tokens, sum(output_tokens)::bigint AS output_tokens
  FROM node_count WHERE flow_id = $1 AND flow_version = $2 AND saved_on BETWEEN $3 AND $4
 GROUP BY 1, 2 ORDER BY 1, 2
"""
_WAITING = """
SELECT node, count(*) AS waiting FROM conversation WHERE flow_id = $1 AND flow_version = $2 AND node IS NOT NULL GROUP BY 1
"""


class Counted(NamedTuple):
    """How often a node was left by a port, or reached, where that is empty."""

    node: str
    port: str
    times: int
    input_tokens: int
    output_tokens: int


def rows(work: Work) -> list[CountRow]:
    """What a batch has counted, in the order in which all batches lock the rows."""
    counts: defaultdict[tuple[str, int, str, str], int] = defaultdict(int)
    for (flow, version, node, port, reached), times in work.node_counts.items():
        if reached:
            counts[flow, version, node, REACHED] += times
        if port:
            counts[flow, version, node, port] += times
    tokens = {(*node, REACHED): (spent["input"], spent["output"]) for node, spent in work.node_tokens.items()}
    return sorted(
        CountRow(*of, work.counting_part, counts.get(of, 0), *tokens.get(of, (0, 0)))
        for of in counts.keys() | tokens.keys()
    )


async def read(connection: Connection, flow_id: str, version: int, since: date, until: date) -> list[Counted]:
    """Of a version, between these days."""
    return [Counted(*row) for row in await connection.fetch(_READ, flow_id, version, since, until)]


async def waiting(connection: Connection, flow_id: str, version: int) -> dict[str, int]:
    """How many conversations wait at each node of a version now."""
    return {row["node"]: row["waiting"] for row in await connection.fetch(_WAITING, flow_id, version)}
