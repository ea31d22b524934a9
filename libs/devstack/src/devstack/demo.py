"""`switchhook demo`: tells the story of the end-to-end tests, which live with the fakes they need in tests/support."""

from __future__ import annotations

import runpy
import sys

from devstack.paths import ROOT

if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "tests"))
    runpy.run_module("support.demo", run_name="__main__")
