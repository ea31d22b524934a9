"""A test may take 15 seconds of its own; one that needs more says so: `@pytest.mark.seconds(60)`, or `slow`.

That holds in runs with `--limit-seconds=15`, which `switchhook test` gives where it runs a whole suite. Who runs a few
tests may be at a breakpoint, or on a machine that does other things as well.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import pytest

SETUP_SECONDS = pytest.StashKey[float]()


class SharedSetup:
    """Seconds that the running test's setup spent on fixtures of wider scope: they are not its own."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._depth = 0

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
        if fixturedef.scope == "function" or self._depth:
            return (yield)
        self._depth, began = 1, time.perf_counter()
        try:
            return (yield)
        finally:
            self._depth = 0
            self.seconds += time.perf_counter() - began

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if call.when == "setup":
            item.stash[SETUP_SECONDS], self.seconds = call.duration - self.seconds, 0.0
        elif call.when == "call" and report.passed:
            taken, limit = item.stash[SETUP_SECONDS] + call.duration, limit_of(item)
            if limit is not None and taken > limit:
                report.outcome = "failed"
                report.longrepr = f"It took {taken:.1f} s of its own, and may take {limit:g} s ({__name__})."
        return report


def limit_of(item: pytest.Item) -> float | None:
    """Seconds that the test may take; None: as many as it likes."""
    general: float | None = item.config.getoption("limit_seconds")
    if general is None or item.get_closest_marker("slow"):
        return None
    marker = item.get_closest_marker("seconds")
    return float(marker.args[0]) if marker else general


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--limit-seconds", type=float, help="an unmarked test that takes longer fails")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(SharedSetup())
