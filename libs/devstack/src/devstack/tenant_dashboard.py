"""The dashboard of one project: PostgreSQL's rows and recorded traces, since metrics have no project (docs/decisions/0050).

Each query reads by an index that begins with the project, as the role of `operations.dashboards`; those of details look at
the newest rows only.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from devstack.dashboards import COLUMNS, HEIGHT, WIDTH

DATABASE = {"type": "grafana-postgresql-datasource", "uid": "${database}"}
TRACES = {"type": "tempo", "uid": "${traces}"}
NEWEST = 10_000
"""Deliveries of the chosen time that details are taken of."""
CHOICE = (
    "SELECT id FROM registry.entity WHERE kind = 'project' AND deleted_at IS NULL ORDER BY created_at DESC LIMIT 500"
)
"""The newest projects, to choose from; the id of another one can be typed."""
MINE = "d.project_id = ${project:sqlstring} AND $__timeFilter(d.created_at)"
"""What `:mine` stands for in the queries: deliveries of the project that were made in the chosen time."""


@dataclass(frozen=True, slots=True)
class Query:
    """A panel. `kind`: Grafana's panel type; `sql` gives `time`, `metric` and a number for a graph, any columns for a table."""

    title: str
    kind: str
    sql: str


QUERIES = (
    Query(
        "Deliveries, by kind",
        "timeseries",
        "SELECT $__timeGroupAlias(d.created_at, $__interval), d.kind AS metric, count(*) AS n"
        " FROM dispatcher.delivery d WHERE :mine GROUP BY 1, 2 ORDER BY 1",
    ),
    Query(
        "Deliveries, by state",
        "timeseries",
        "SELECT $__timeGroupAlias(d.created_at, $__interval), d.state AS metric, count(*) AS n"
        " FROM dispatcher.delivery d WHERE :mine GROUP BY 1, 2 ORDER BY 1",
    ),
    Query(
        "Events for subscribers, by type",
        "timeseries",
        "SELECT $__timeGroupAlias(d.created_at, $__interval), d.event_type AS metric, count(*) AS n"
        " FROM dispatcher.delivery d WHERE :mine AND d.kind = 'event' GROUP BY 1, 2 ORDER BY 1",
    ),
    Query(
        "Waiting now",
        "table",
        "SELECT 'deliveries, ' || d.state AS what, count(*) AS n, min(d.created_at) AS since FROM dispatcher.delivery d"
        " WHERE :mine AND d.finished_at IS NULL GROUP BY d.state"
        " UNION ALL SELECT 'events held', count(*), min(held_at) FROM flow_engine.held WHERE project = ${project:sqlstring}",
    ),
    Query(
        "Slowest destinations",
        "table",
        "SELECT q.destination, count(*) AS attempts, round(avg((a.outcome = 'succeeded')::int), 3) AS succeeded,"
        " percentile_disc(0.5) WITHIN GROUP (ORDER BY a.took_ms) AS p50_ms,"
        " percentile_disc(0.99) WITHIN GROUP (ORDER BY a.took_ms) AS p99_ms"
        " FROM (SELECT d.id, d.day, d.queue_id FROM dispatcher.delivery d WHERE :mine"
        " ORDER BY d.created_at DESC LIMIT :newest) d"
        " JOIN dispatcher.attempt a ON a.delivery_id = d.id AND a.day = d.day"
        " JOIN dispatcher.queue q ON q.id = d.queue_id GROUP BY 1 ORDER BY p99_ms DESC LIMIT 20",
    ),
    Query(
        "Failed attempts and limits met, by code",
        "table",
        "SELECT coalesce(a.code, 'HTTP ' || a.status) AS code, d.kind, count(*) AS attempts, max(a.started_at) AS last"
        " FROM (SELECT d.id, d.day, d.kind FROM dispatcher.delivery d WHERE :mine"
        " ORDER BY d.created_at DESC LIMIT :newest) d JOIN dispatcher.attempt a ON a.delivery_id = d.id AND a.day = d.day"
        " WHERE a.outcome <> 'succeeded' GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 50",
    ),
    Query(
        "Given up",
        "table",
        "SELECT d.created_at AS at, d.kind, q.destination, d.attempts, d.error, d.id AS delivery,"
        " substr(d.traceparent, 4, 32) AS trace"
        " FROM dispatcher.delivery d JOIN dispatcher.queue q ON q.id = d.queue_id"
        " WHERE :mine AND d.state = 'exhausted' ORDER BY d.created_at DESC LIMIT 100",
    ),
    Query(
        "Destinations that are paused",
        "table",
        "SELECT DISTINCT s.name AS destination, s.paused_until, s.pause_reason FROM dispatcher.destination s"
        " JOIN dispatcher.queue q ON q.destination = s.name"
        " WHERE q.project_id = ${project:sqlstring} AND s.paused_until > now() ORDER BY 1",
    ),
    Query(
        "What the project has",
        "table",
        "SELECT kind, count(*) AS n FROM registry.entity"
        " WHERE project_id = ${project:sqlstring} AND deleted_at IS NULL GROUP BY 1 ORDER BY 1",
    ),
)
TRACED = "{ span.project = ${project:doublequote} }"
"""Tempo's query language: requests, turns and deliveries of the project that were recorded."""


def statements(project: str, *, hours: float = 1) -> dict[str, str]:
    """Panel -> SQL about a project and the last hours, as Grafana's data source sends it."""
    begin, end = (datetime.now(UTC) + timedelta(hours=each) for each in (-hours, 1 / 60))
    between = rf"\1 BETWEEN '{begin.isoformat()}' AND '{end.isoformat()}'"
    quoted = "'" + project.replace("'", "''") + "'"
    made = {query.title: _plain(query).replace("${project:sqlstring}", quoted) for query in QUERIES}
    step = r'floor(extract(epoch from \1) / 60) * 60 AS "time"'
    grouped = {title: re.sub(r"\$__timeGroupAlias\(([^,]+), \$__interval\)", step, sql) for title, sql in made.items()}
    return {title: re.sub(r"\$__timeFilter\(([^)]+)\)", between, sql) for title, sql in grouped.items()}


def _plain(query: Query) -> str:
    return query.sql.replace(":mine", MINE).replace(":newest", str(NEWEST))


def dashboard() -> str:
    """Its JSON."""
    document = {
        "uid": "switchhook-tenant",
        "title": "Switchhook: One tenant",
        "tags": ["switchhook"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "1m",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [
                {"name": "database", "type": "datasource", "query": DATABASE["type"], "label": "Database"},
                {"name": "traces", "type": "datasource", "query": TRACES["type"], "label": "Traces"},
                {
                    "name": "project",
                    "type": "query",
                    "label": "Project",
                    "datasource": DATABASE,
                    "query": CHOICE,
                    "refresh": 2,
                    "allowCustomValue": True,
                },
            ]
        },
        "panels": [*(panel(number, query) for number, query in enumerate(QUERIES)), traces(len(QUERIES))],
    }
    return json.dumps(document, indent=2) + "\n"


def panel(number: int, query: Query) -> dict[str, Any]:
    """A graph or table of rows."""
    graph = query.kind == "timeseries"
    target = {
        "refId": "A",
        "datasource": DATABASE,
        "format": "time_series" if graph else "table",
        "editorMode": "code",
        "rawQuery": True,
        "rawSql": _plain(query),
    }
    made = _panel(number, query.title, query.kind, DATABASE, target)
    defaults = {"unit": "short", "min": 0} if graph else {}
    return {**made, "fieldConfig": {"defaults": defaults, "overrides": [] if graph else [_linked("trace")]}}


def traces(number: int) -> dict[str, Any]:
    """The newest recorded traces in which the project has a part."""
    target = {
        "refId": "A",
        "datasource": TRACES,
        "queryType": "traceql",
        "query": TRACED,
        "limit": 50,
        "tableType": "traces",
    }
    return _panel(number, "Recorded traces: requests, turns, deliveries", "table", TRACES, target)


def _panel(number: int, title: str, kind: str, source: dict[str, str], target: dict[str, Any]) -> dict[str, Any]:
    row, column = divmod(number, COLUMNS)
    place = {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT}
    return {"id": number + 1, "type": kind, "title": title, "datasource": source, "gridPos": place, "targets": [target]}


def _linked(column: str) -> dict[str, Any]:
    """A column of trace ids, each of which leads to its trace."""
    query = {"refId": "A", "datasource": TRACES, "queryType": "traceql", "query": "${__value.raw}"}
    pane = {"datasource": TRACES["uid"], "queries": [query], "range": {"from": "now-7d", "to": "now"}}
    url = "/explore?schemaVersion=1&panes=" + quote(json.dumps({"trace": pane}, separators=(",", ":")), safe="${}.:,")
    return {
        "matcher": {"id": "byName", "options": column},
        "properties": [{"id": "links", "value": [{"title": "Its trace", "url": url}]}],
    }
