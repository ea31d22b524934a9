"""The dashboards ask for metrics that there are, by labels that they have."""

import json
import re

import pytest

from devstack.dashboards import DASHBOARDS, PARTS, UnknownMetric, dashboard, known
from servicekit.observability.metrics import MEANINGS

OF_PROMETHEUS = frozenset({"job", "instance", "le", "topic"})
QUERY = re.compile(r"sum by \(([^)]*)\) \((?:rate\()?(switchhook_[a-z_]+)")


@pytest.mark.parametrize("name", DASHBOARDS)
def test_each_line_is_grouped_by_labels_that_its_metric_has(name: str) -> None:
    queries = [target["expr"] for panel in json.loads(dashboard(name))["panels"] for target in panel["targets"]]
    for labels, metric in (found for query in queries for found in QUERY.findall(query)):
        plain = next((metric.removesuffix(part) for part in PARTS if metric.removesuffix(part) in MEANINGS), metric)
        asked = {label.strip() for label in labels.split(",") if label.strip()}
        assert asked <= OF_PROMETHEUS | set(MEANINGS[plain].labels), metric


def test_a_metric_that_there_is_not_is_refused() -> None:
    with pytest.raises(UnknownMetric, match="switchhook_gone_total"):
        known("rate(switchhook_gone_total[5m])")
