"""How often nodes were reached and left: added by each batch, read by flow and version."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any, NamedTuple

import orjson

from flow_engine.state.work import Work
from servicekit.loop.batches import Connection

KEPT_DAYS = 90
RESTED = ""
"""In the place of a port: of those that stayed at the node."""


class CountRow(NamedTuple):
    """What a batch adds of a node and the port by which it was left: `times` that it was left so, and how often it was reached then."""

    flow_id: str
    flow_version: int
    node: str
    port: str
    times: int
    reached: int
    input_tokens: int
    output_tokens: int


PARAMETERS = 2
_COLUMNS = ", ".join(CountRow._fields)


def insert(after: int) -> str:
    """The statement that adds what `parameters` gives; its parameters come after the first `after` ones. The rows are JSON: an array for each
    column takes longer to send than a batch's few rows do."""
    return f"""
INSERT INTO node_count (part, {_COLUMNS})
SELECT ${after + 1}::int, {_COLUMNS} FROM json_to_recordset(${after + 2}::json) u(flow_id text, flow_version int, node text, port text,
       times bigint, reached bigint, input_tokens bigint, output_tokens bigint)
ON CONFLICT (flow_id, flow_version, saved_on, part, node, port) DO UPDATE
SET times = node_count.times + excluded.times, reached = node_count.reached + excluded.reached,
    input_tokens = node_count.input_tokens + excluded.input_tokens, output_tokens = node_count.output_tokens + excluded.output_tokens
"""


# The release before counted in the row without a port how often the node was reached, as `times`.
_READ = """
SELECT node, port, sum(CASE port WHEN '' THEN 0 ELSE times END)::bigint AS times,
       sum(CASE port WHEN '' THEN reached + times ELSE reached END)::bigint AS reached,
       sum(input_tokens)::bigint AS input_tokens, sum(output_tokens)::bigint AS output_tokens
  FROM node_count WHERE flow_id = $1 AND flow_version = $2 AND saved_on BETWEEN $3 AND $4
 GROUP BY 1, 2 ORDER BY 1, 2
"""
_WAITING = """
SELECT node, count(*) AS waiting FROM conversation WHERE flow_id = $1 AND flow_version = $2 AND node IS NOT NULL GROUP BY 1
"""


class Counted(NamedTuple):
    """How often a node was left by a port, `times`, and how often it was reached in the same turns; without a port: where it rested."""

    node: str
    port: str
    times: int
    reached: int
    input_tokens: int
    output_tokens: int


def rows(work: Work) -> list[CountRow]:
    """What a batch has counted, in the order in which all batches lock the rows."""
    counted: defaultdict[tuple[str, int, str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for (flow, version, node, port, is_reached), number in work.node_counts.items():
        if port or is_reached:
            sums = counted[flow, version, node, port or RESTED]
            sums[0] += number if port else 0
            sums[1] += number if is_reached else 0
    for of, spent in work.node_tokens.items():
        counted[(*of, RESTED)][2:] = spent["input"], spent["output"]
    return [CountRow(*of, *sums) for of, sums in sorted(counted.items())]


def parameters(counted: list[CountRow], part: int) -> list[Any]:
    """Of `insert`. `part`: a partition of the batch, of which no other transaction counts at the same time."""
    return [part, orjson.dumps([row._asdict() for row in counted]).decode()]


async def read(connection: Connection, flow_id: str, version: int, since: date, until: date) -> list[Counted]:
    """Of a version, between these days."""
    return [Counted(*row) for row in await connection.fetch(_READ, flow_id, version, since, until)]


async def waiting(connection: Connection, flow_id: str, version: int) -> dict[str, int]:
    """How many conversations wait at each node of a version now."""
    return {row["node"]: row["waiting"] for row in await connection.fetch(_WAITING, flow_id, version)}
