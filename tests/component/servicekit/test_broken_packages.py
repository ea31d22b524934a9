"""A service beside whose packages there is one that cannot be used ends in one sentence that names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.plugins import start_with


def package(folder: Path, group: str) -> Path:
    """One that declares `toy` in this group, and has no such module."""
    info = folder / "broken_toy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-toy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\ntoy = no_such_module_anywhere:TOY\n")
    return folder


@pytest.mark.parametrize(
    ("module", "group"),
    [
        ("ingress", "switchhook.channels"),
        ("dispatcher", "switchhook.channels"),
        ("flow_engine", "switchhook.channels"),
        ("flow_engine", "switchhook.nodes"),
        ("flow_engine", "switchhook.inputs"),
        ("registry", "switchhook.triggers"),
        ("dispatcher", "switchhook.delivery_kinds"),
    ],
)
def test_it_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, group: str) -> None:
    monkeypatch.setenv("SWITCHHOOK_ADMIN_TOKEN", "x" * 32)
    monkeypatch.setenv("SWITCHHOOK_LINK_KEY", "l" * 40)
    monkeypatch.setenv("SWITCHHOOK_KEK", "k1:" + "A" * 43 + "=")
    monkeypatch.setenv("SWITCHHOOK_DATABASE", "postgresql://nobody@127.0.0.1:1/none")
    done = start_with(package(tmp_path, group), arguments=("-m", module))
    assert done.returncode == 1
    assert done.stderr.startswith(f"{module.replace('_', '-')} does not start: ")
    assert "broken-toy 1.0" in done.stderr
    assert "ModuleNotFoundError" in done.stderr
    assert len(done.stderr.splitlines()) == 1
