"""`./switchhook lock` would change nothing. Needs the package registry."""

import shutil
import subprocess
from pathlib import Path

import pytest

from devstack.paths import ROOT

IMAGES = "deploy/images/requirements"


@pytest.mark.slow
def test_locking_again_changes_nothing(tmp_path: Path) -> None:
    for file in ("switchhook", "requirements.lock", "pyproject.toml"):
        shutil.copy2(ROOT / file, tmp_path / file)
    for member in (ROOT / "contracts", *(ROOT / "libs").iterdir(), *(ROOT / "services").iterdir(), ROOT / "sdk/python"):
        target = tmp_path / member.relative_to(ROOT)
        target.mkdir(parents=True)
        shutil.copy2(member / "pyproject.toml", target)
        shutil.copytree(member / "src", target / "src")
    shutil.copytree(ROOT / IMAGES, tmp_path / IMAGES)
    subprocess.run([tmp_path / "switchhook", "lock"], check=True)
    for lock in (Path("requirements.lock"), *(file.relative_to(ROOT) for file in (ROOT / IMAGES).glob("*.lock"))):
        assert (tmp_path / lock).read_text() == (ROOT / lock).read_text(), lock
