"""The questions that the dashboards' panels ask, as Grafana would send them."""

from __future__ import annotations

import json
from typing import Any

from devstack.deploy_files import DEPLOY

FOLDER = DEPLOY / "observability" / "dashboards"


def dashboards() -> dict[str, Any]:
    """Name -> what is committed."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}


def expressions() -> list[tuple[str, str, str]]:
    """(dashboard, panel, PromQL), where the time of a graph's step is filled in."""
    return [
        (name, panel["title"], target["expr"].replace("$__rate_interval", "1m"))
        for name, board in dashboards().items()
        for panel in board["panels"]
        for target in panel["targets"]
        if "expr" in target
    ]
