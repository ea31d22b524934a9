"""What the pages about extensions show is a package: installed as it stands there, it passes the test that stands there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from support.plugins import ROOT, start_with

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", ["node", "trigger", "channel"])
def test_a_pages_package_passes_its_own_test(page: str, tmp_path: Path) -> None:
    blocks = BLOCK.findall((ROOT / "docs/how-to/extend" / f"{page}.md").read_text())
    (toml,) = [text for kind, text in blocks if kind == "toml"]
    *module, test = [text for kind, text in blocks if kind == "python"]
    ((group, points),) = tomllib.loads(toml)["project"]["entry-points"].items()
    ((name, target),) = points.items()
    parts = target.partition(":")[0].split(".")
    file = tmp_path / parts[0] / (f"{parts[1]}.py" if parts[1:] else "__init__.py")
    info = tmp_path / f"{parts[0]}-1.0.dist-info"
    for folder in (file.parent, info):
        folder.mkdir()
    file.write_text("\n\n".join(module))
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {parts[0]}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {target}\n")
    (tmp_path / "test_it.py").write_text(test)
    done = start_with(
        tmp_path, arguments=("-m", "pytest", "-q", "-c", "/dev/null", "--rootdir", str(tmp_path), str(tmp_path))
    )
    assert done.returncode == 0, done.stdout + done.stderr
