"""Grafana dashboards from the services' own metrics: what each panel shows, and the JSON that Grafana provisions.

`switchhook schemas` writes them below deploy/observability. A metric that there is not is refused (UnknownMetric).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from servicekit.observability.metrics import MEANINGS

METRIC = re.compile(r"switchhook_[a-z_]+")
PARTS = ("_bucket", "_sum", "_count")
"""What Prometheus adds to the name of a histogram."""
WIDTH, HEIGHT, COLUMNS = 8, 8, 3
SOURCE = {"type": "prometheus", "uid": "${source}"}


class UnknownMetric(Exception):
    """A panel asks for a metric that no service has."""


@dataclass(frozen=True, slots=True)
class Panel:
    """A graph. `lines`: (query, legend) of each line; `unit` as Grafana names units (`reqps`, `s`, `short`)."""

    title: str
    unit: str
    lines: Sequence[tuple[str, str]]


def rate(metric: str, *by: str) -> str:
    """How often a second, by labels."""
    return f"sum by ({', '.join(by)}) (rate({metric}[$__rate_interval]))"


def share(metric: str, q: float, *by: str) -> str:
    """A quantile of a histogram."""
    return f"histogram_quantile({q}, {rate(metric + '_bucket', 'le', *by)})"


def total(metric: str, *by: str) -> str:
    """Of a gauge, over all replicas."""
    return f"sum by ({', '.join(by)}) ({metric})"


PATH = (
    Panel("Accepted, by source", "reqps", [(rate("switchhook_ingress_accepted_total", "source"), "{{source}}")]),
    Panel("Refused, by problem", "reqps", [(rate("switchhook_ingress_refused_total", "problem"), "{{problem}}")]),
    Panel("Time to answer, p99", "s", [(share("switchhook_http_seconds", 0.99, "route"), "{{route}}")]),
    Panel("Records applied", "reqps", [(rate("switchhook_records_total", "topic"), "{{topic}}")]),
    Panel("Lag", "short", [(total("switchhook_consumer_lag_records", "topic"), "{{topic}}")]),
    Panel(
        "From a batch's start to its last publish",
        "s",
        [(share("switchhook_batch_seconds", q, "topic"), f"p{q * 100:.0f} {{{{topic}}}}") for q in (0.5, 0.99)],
    ),
    Panel("Records of a batch, median", "short", [(share("switchhook_batch_records", 0.5, "topic"), "{{topic}}")]),
    Panel(
        "Time in a batch's transaction, p99", "s", [(share("switchhook_commit_seconds", 0.99, "topic"), "{{topic}}")]
    ),
    Panel("Outbox rows not acknowledged", "short", [(total("switchhook_outbox_rows", "topic"), "{{topic}}")]),
    Panel(
        "Turns, by the kind of event",
        "reqps",
        [
            (rate("switchhook_turns_total", "result"), "{{result}}"),
            (rate("switchhook_flow_failures_total"), "flows that failed"),
        ],
    ),
    Panel(
        "Turns deferred, timers",
        "reqps",
        [
            (rate("switchhook_turns_deferred_total"), "deferred"),
            (rate("switchhook_timers_fired_total"), "timers fired"),
        ],
    ),
    Panel(
        "Waiting",
        "short",
        [
            (total("switchhook_waiting_callers"), "callers"),
            (total("switchhook_due_timers"), "timers that are due"),
            ("max(switchhook_held_conversations)", "held conversations"),
        ],
    ),
    Panel("Dead letters", "reqps", [(rate("switchhook_dead_letters_total", "topic", "code"), "{{topic}} {{code}}")]),
    Panel(
        "Repeats, fenced commits, recoveries",
        "reqps",
        [
            (rate("switchhook_repeats_total", "topic"), "repeats {{topic}}"),
            (rate("switchhook_fenced_total", "topic"), "fenced {{topic}}"),
            (rate("switchhook_recoveries_total", "topic", "cause"), "{{cause}} {{topic}}"),
        ],
    ),
    Panel(
        "Kafka",
        "reqps",
        [
            (rate("switchhook_published_total", "topic"), "published {{topic}}"),
            (rate("switchhook_publish_failures_total", "topic"), "not acknowledged {{topic}}"),
        ],
    ),
    Panel("Event loop's lag, p99", "s", [(share("switchhook_loop_lag_seconds", 0.99, "job"), "{{job}}")]),
    Panel("Replicas", "short", [("max by (job) (switchhook_live_instances)", "{{job}}")]),
    Panel("Registry view behind", "s", [("max by (job) (switchhook_registry_view_behind_seconds)", "{{job}}")]),
)
"""From a request to the last record."""

SUCCEEDED = rate('switchhook_attempts_total{outcome="succeeded"}', "kind")
DELIVERIES = (
    Panel(
        "Attempts, by outcome",
        "reqps",
        [(rate("switchhook_attempts_total", "kind", "outcome"), "{{kind}} {{outcome}}")],
    ),
    Panel(
        "Share of attempts that succeed",
        "percentunit",
        [(f"{SUCCEEDED} / {rate('switchhook_attempts_total', 'kind')}", "{{kind}}")],
    ),
    Panel(
        "Duration of an attempt",
        "s",
        [(share("switchhook_attempt_seconds", q, "kind"), f"p{q * 100:.0f} {{{{kind}}}}") for q in (0.5, 0.99)],
    ),
    Panel(
        "Finished, by state", "reqps", [(rate("switchhook_deliveries_total", "kind", "state"), "{{kind}} {{state}}")]
    ),
    Panel("Requests in flight", "short", [(total("switchhook_in_flight", "instance"), "{{instance}}")]),
    Panel(
        "Refused before connecting, by rule", "reqps", [(rate("switchhook_egress_blocked_total", "rule"), "{{rule}}")]
    ),
    Panel(
        "Lag",
        "short",
        [(total('switchhook_consumer_lag_records{topic=~".*(actions|events).v1"}', "topic"), "{{topic}}")],
    ),
    Panel("Callers who waited, p99", "s", [(share("switchhook_wait_seconds", 0.99), "p99")]),
)
"""From an action to an answer of somebody else's server."""

DASHBOARDS = {"path": ("The path of an event", PATH), "deliveries": ("Deliveries", DELIVERIES)}
"""File name -> title and panels."""


def dashboard(name: str) -> str:
    """The JSON of one. Raises UnknownMetric."""
    title, panels = DASHBOARDS[name]
    document = {
        "uid": f"switchhook-{name}",
        "title": f"Switchhook: {title}",
        "tags": ["switchhook"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [{"name": "source", "type": "datasource", "query": "prometheus", "label": "Source"}]},
        "panels": [graph(number, panel) for number, panel in enumerate(panels)],
    }
    return json.dumps(document, indent=2) + "\n"


def graph(number: int, panel: Panel) -> dict[str, Any]:
    """One panel, at its place in rows of three."""
    for query, _ in panel.lines:
        known(query)
    row, column = divmod(number, COLUMNS)
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "datasource": SOURCE,
        "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": SOURCE, "expr": query, "legendFormat": legend}
            for place, (query, legend) in enumerate(panel.lines)
        ],
    }


def known(query: str) -> None:
    """Raises UnknownMetric for a query about a metric that no service has, or by a label that it has not."""
    for name in METRIC.findall(query):
        plain = next((name.removesuffix(part) for part in PARTS if name.removesuffix(part) in MEANINGS), name)
        if plain not in MEANINGS:
            raise UnknownMetric(name)
