"""A test may take 15 seconds of its own; one that needs more says so: `@pytest.mark.seconds(60)`, or `slow`."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import pytest

LIMIT_SECONDS = 15.0
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
    marker = item.get_closest_marker("seconds")
    if marker is not None:
        return float(marker.args[0])
    unlimited = item.get_closest_marker("slow") or item.config.getoption("usepdb", False)
    return None if unlimited else LIMIT_SECONDS


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(SharedSetup())
