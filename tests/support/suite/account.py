"""Where a run's time went: seconds per folder, and the slowest tests; setup and teardown included."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import PurePosixPath

import pytest

SLOWEST = 20
WORTH_NAMING_SECONDS = 0.5


class Account:
    """Adds up what the reports say; with several workers it hears of all of them."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        """By test."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] += report.duration

    @pytest.hookimpl(tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("seconds per folder")
        for line in (*folders(self.seconds), "", *slowest(self.seconds)):
            terminalreporter.write_line(line)


def folder_of(test: str) -> str:
    """Three levels of the component tests' folders, two of the others'."""
    levels = PurePosixPath(test.partition("::")[0]).parent.parts
    return "/".join(levels[: 3 if "component" in levels else 2])


def folders(seconds: Mapping[str, float]) -> list[str]:
    """A line for each folder, the longest first."""
    sums: dict[str, list[float]] = defaultdict(list)
    for test, spent in seconds.items():
        sums[folder_of(test)].append(spent)
    ranked = sorted(sums.items(), key=lambda entry: -sum(entry[1]))
    return [f"{sum(spent):7.1f} s  {len(spent):5} tests  {folder}" for folder, spent in ranked]


def slowest(seconds: Mapping[str, float]) -> list[str]:
    """A line for each of the slowest tests, the longest first."""
    ranked = sorted(seconds.items(), key=lambda entry: -entry[1])[:SLOWEST]
    return [f"{spent:7.1f} s  {test}" for test, spent in ranked if spent >= WORTH_NAMING_SECONDS]


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Account())
