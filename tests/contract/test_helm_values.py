"""The chart's values are described, closed against typos, and send each path where contracts say. No helm is needed for that."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from contracts.gateway import CONSOLE_SERVICE, ROWS, service_for
from contracts.routes import ROUTES
from devstack.deploy_files import CHART, DEPLOY
from devstack.errors import StackError
from devstack.helm_files import NOT_FOUND_SERVICE
from devstack.helm_values import entries, schema
from devstack.testing import pytest_arguments
from flowlang.language.yaml_text import parse
from servicekit.observability.metrics import MEANINGS

FOLDER = DEPLOY / CHART
VALUES = sorted((Path(__file__).parents[1] / "helm" / "values").glob("*.yaml"))
OPEN = {"backup", "bootstrap", "global", "externalClusters[]", "plugins[]"}
"""What is handed on as it is, or is Helm's own."""


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return schema((FOLDER / "values.yaml").read_text())


@pytest.mark.parametrize("name", ["everything", "ingress"])
def test_what_was_read_of_the_chart_has_every_route(name: str) -> None:
    """The golden files are compared by `test helm` alone, which not everybody can run who adds a route."""
    golden = (Path(__file__).parents[1] / "helm" / "golden" / f"{name}.yaml").read_text()
    table = json.loads((FOLDER / "files" / "routes.json").read_text())["routes"]
    paths = {each["path"] for row in table for each in row["paths"]}
    assert paths - set(re.findall(r"(?:value|path): (/[^\s}]*)", golden)) == set(), (
        "PYTHONPATH=tests .venv/bin/python -m helm.chart"
    )


def objects(node: Any, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each object of a schema with the name of its property; `[]` for the items of a list."""
    if node.get("type") == "object":
        yield name, node
    if "items" in node:
        yield from objects(node["items"], f"{name}[]")
    for kind in ("properties", "$defs"):
        for key, below in node.get(kind, {}).items():
            yield from objects(below, key)


def test_no_object_takes_a_key_that_it_does_not_name(described: dict[str, Any]) -> None:
    for name, node in objects(described, ""):
        assert name in OPEN or node["additionalProperties"] in (False, {"type": "string"}), name


@pytest.mark.parametrize("file", [FOLDER / "values.yaml", *VALUES], ids=lambda path: path.stem)
def test_the_value_sets_are_as_described(described: dict[str, Any], file: Path) -> None:
    jsonschema.validate(parse(file.read_text()), described)


def test_the_values_in_the_docs_are_as_described(described: dict[str, Any]) -> None:
    page = (DEPLOY.parent / "docs" / "how-to" / "deploy-helm.md").read_text()
    shown = re.findall(r"(?ms)^```yaml\n(.*?)^```", page)
    assert shown
    for values in shown:
        jsonschema.validate(parse(values), described)


def test_every_value_is_told() -> None:
    told = [each.path for each in entries((FOLDER / "values.yaml").read_text()) if each.said]
    for each in entries((FOLDER / "values.yaml").read_text()):
        above = [each.path[:length] for length in range(1, len(each.path) + 1)]
        below = [path for path in told if path[: len(each.path)] == each.path]
        assert below or any(path in told for path in above), each.path


def where(path: str) -> str:
    """The service that a gateway sends a path to, which takes the longest path that fits."""
    rows = [
        (each["exact"], len(each["path"]), route["service"])
        for route in json.loads((FOLDER / "files" / "routes.json").read_text())["routes"]
        for each in route["paths"]
        if path == each["path"] or (not each["exact"] and path.startswith(f"{each['path'].rstrip('/')}/"))
    ]
    return max(rows)[2]


def test_a_gateway_sends_each_path_where_contracts_send_it() -> None:
    paths = [row.path for row in ROWS] + [row.path for row in ROUTES] + [f"{row.path}/below" for row in ROWS]
    for path in (*paths, "/", "/docs", "/v1", "/v1/unknown", "/v11", "/console/flows"):
        assert where(path) == (service_for(path) or nobody(path)), path
    assert where("/healthy") == CONSOLE_SERVICE


def nobody(path: str) -> str:
    """Where a path leads that nobody answers: of the API to a service that does not have it, so the answer is 404."""
    assert not [row.name for row in ROUTES if row.service == NOT_FOUND_SERVICE and service_for(row.path) is None]
    return NOT_FOUND_SERVICE if path.startswith("/v1") else ""


def test_alerts_are_about_metrics_that_there_are() -> None:
    rules = parse((FOLDER / "files" / "alerts.yaml").read_text())["groups"][0]["rules"]
    named = {name for rule in rules for name in re.findall(r"switchhook_\w+", rule["expr"])}
    assert named
    assert named <= MEANINGS.keys()


def test_what_the_charts_tests_run_is_named_where_it_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SWITCHHOOK_TOOLS", raising=False)
    for name in ("helm", "kube-score", "go"):
        (tmp_path / name).touch(mode=0o755)
    with pytest.raises(StackError, match=r"need kubectl-validate on PATH"):
        pytest_arguments(["helm"])
    (tmp_path / "kubectl-validate").touch(mode=0o755)
    assert pytest_arguments(["helm", "-x"]) == ["tests/helm", "-x"]
