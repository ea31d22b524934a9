"""A task or future whose failure nobody saw, or that was left pending: asyncio would only log it, when the garbage is collected.

It fails the test in which it is found, which may be a later one than its own, so the report names the task. Of tests with
servers it is told at the end of the run: what is cut off there by crashes and outages is not always ours to wait for.

What asyncio logs of it goes no further, so that no traceback is rendered: inside `ast.parse` of an assertion that is rewritten,
where memory is allocated and so garbage collected, CPython 3.11 fails with a SystemError when something is parsed meanwhile,
as rendering does.
"""

from __future__ import annotations

import gc
import logging
import traceback
from collections.abc import Generator

import pytest

LOST = ("exception was never retrieved", "was destroyed but it is pending")
WITH_SERVERS = ("tests/component/", "tests/e2e/", "tests/extend/")


class LostTasks(logging.Filter):
    """On asyncio's logger, in each process that runs tests."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep what is lost as a sentence, and let nobody else have it."""
        if not any(words in str(record.msg) for words in LOST):
            return True
        self.found.append(f"{record.msg}{failure_of(record)}")
        return False

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_teardown(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        """Whatever this process's last test leaves behind is found, too."""
        try:
            return (yield)
        finally:
            if nextitem is None:
                gc.collect()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if call.when == "teardown" and self.found:
            found, self.found = self.found, []
            if item.nodeid.startswith(WITH_SERVERS):
                vars(report)["lost_tasks"] = found  # Which goes to the process that tells of it with all else.
            else:
                before = [report.longreprtext] if report.failed else []
                lines = [f"Lost by this test or one before it ({__name__}):", *before, *found]
                report.outcome, report.longrepr = "failed", "\n\n".join(lines)
        return report


class Told:
    """Hears of all workers, and tells at the end."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        lost: list[str] = getattr(report, "lost_tasks", [])
        self.lines += [f"at {report.nodeid}, or before: {each}" for each in lost]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.lines:
            terminalreporter.section("lost tasks")
        for line in self.lines:
            terminalreporter.write_line(line)


def failure_of(record: logging.LogRecord) -> str:
    """The exception and where it was raised, without reading any source."""
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return ""
    lines = [f"  {frame.f_code.co_filename}:{line}" for frame, line in traceback.walk_tb(error.__traceback__)]
    return "\n".join(["", f"{type(error).__name__}: {error}", *lines])


def pytest_configure(config: pytest.Config) -> None:
    lost, logger = LostTasks(), logging.getLogger("asyncio")
    config.pluginmanager.register(lost)
    logger.filters.insert(0, lost)  # Before that of a run around this one.
    config.add_cleanup(lambda: logger.removeFilter(lost))
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Told())
