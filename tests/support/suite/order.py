"""Two workers share a run: file by file, and what takes longest first, so that both end at about the same time."""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadScopeScheduling

ON_ONE_STACK = "tests/e2e/"
"""One share: its tests stand on one stack, which takes ten seconds to start and a gigabyte to run."""
LONGEST_FIRST = (ON_ONE_STACK, "tests/checks/", "tests/component/", "tests/")


class FileByFile(LoadScopeScheduling):  # type: ignore[misc]  # ships no types
    """Gives a worker a whole file, whose tests share what is module-scoped."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(ON_ONE_STACK):
            return ON_ONE_STACK
        return nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> FileByFile:
    return FileByFile(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items.sort(key=rank)


def rank(item: pytest.Item) -> int:
    """The place of its folder among the shares; within one, the order of collection holds."""
    return next(place for place, folder in enumerate(LONGEST_FIRST) if item.nodeid.startswith(folder))
