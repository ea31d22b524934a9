"""Exports of other builders, made for tests in the form that those builders have."""

from __future__ import annotations

from devstack.paths import ROOT

EXPORTS = ROOT / "tests/unit/flowtools/importing/exports"


def nothing_executable(text: str, *words: str) -> None:
    """Asserts that none of the words came over into a flow's text."""
    assert [word for word in words if word in text] == []
