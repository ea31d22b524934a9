"""The programs of the SDK's README, run as they stand there."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from pathlib import Path

import pytest

from devstack.paths import ROOT

README = (ROOT / "sdk/python/README.md").read_text()
PROGRAMS = dict(re.findall(r"(?ms)^```python\n# (\w+)\.py\n(.*?)^```", README))


async def test_the_programs_and_their_tests_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, code in PROGRAMS.items():
        (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    try:
        tests = importlib.import_module("test_shop")
        for _, test in inspect.getmembers(tests, inspect.iscoroutinefunction):
            if test.__name__.startswith("test_"):
                await test()
    finally:
        for name in PROGRAMS:
            sys.modules.pop(name, None)
    assert set(PROGRAMS) == {"shop", "orders", "test_shop"}
