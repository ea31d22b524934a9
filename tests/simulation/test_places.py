"""No part that is simulated takes time or chance from anywhere that the simulation does not know of."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from simulation import places

ROOT = Path(__file__).parents[2]
SIMULATED = (
    "services/dispatcher/src/dispatcher", "services/flow-engine/src/flow_engine", "libs/servicekit/src/servicekit",
    "libs/flowlang/src/flowlang", "libs/channels/src/channels", "contracts/src/contracts",
)  # fmt: skip
NOT_RUN = (
    "/web/",
    "/observability/",
    "/registry_view/",
    "/workers/line",
    "/workers/pool",
    "/workers/fork",
    "/workers/worker",
    "/sandbox",
    "/main.py",
    "/accept_restore.py",
    "/migrat",
    "/copies/",
    "/batch/scheduling",
)
"""Parts that take no part in a run: HTTP, logs, the registry's own reader, processes for programs, the operator's commands,
copies for projects with topics of their own, moments of schedules."""
CLOCK = re.compile(r"\bdatetime\.(now|utcnow|today)\(|\bdate\.today\(")
BY_NAME = re.compile(
    r"^from (time|random|os|uuid) import .*\b(monotonic|time|time_ns|perf_counter|random|urandom|uuid1)\b", re.M
)
KEPT = re.compile(r"=\s*time\.(monotonic|time|time_ns|perf_counter)\b(?!\()")
"""A default that keeps the real clock: what is replaced later is not asked."""
FAILPOINT = re.compile(r"^from servicekit\.failpoints import .*\bfailpoint\b", re.M)


def modules_with(pattern: re.Pattern[str]) -> set[str]:
    found = set()
    for folder in SIMULATED:
        for path in (ROOT / folder).rglob("*.py"):
            if not any(part in str(path) for part in NOT_RUN) and pattern.search(path.read_text()):
                found.add(".".join(path.relative_to((ROOT / folder).parent).with_suffix("").parts))
    return found


def test_every_clock_is_simulated() -> None:
    assert modules_with(CLOCK) == {module.__name__ for module in places.CLOCKS}


def test_time_and_chance_are_asked_through_their_modules() -> None:
    assert modules_with(BY_NAME) == set()
    assert modules_with(KEPT) == set()


def test_every_failpoint_is_simulated() -> None:
    assert modules_with(FAILPOINT) == {module.__name__ for module in places.POINTS}
    assert all(hasattr(importlib.import_module(module.__name__), "failpoint") for module in places.POINTS)
