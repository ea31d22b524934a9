"""requirements.lock satisfies every pyproject.toml, names no registry, and pins by hash."""

import re
import tomllib
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from devstack.paths import ROOT

PIN = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>[^ ;]+)( ; (?P<marker>[^\\]+))? \\$")
PROJECTS = [
    ROOT,
    ROOT / "contracts",
    *sorted((ROOT / "libs").iterdir()),
    *sorted((ROOT / "services").iterdir()),
    ROOT / "sdk/python",
]
LOCK = (ROOT / "requirements.lock").read_text()


def pins() -> dict[str, str]:
    matches = [PIN.match(line) for line in LOCK.splitlines() if not line.startswith("    --hash=")]
    assert None not in matches
    return {match["name"]: match["version"] for match in matches if match}


def wanted() -> Iterator[tuple[str, Requirement]]:
    for project in PROJECTS:
        if not (project / "pyproject.toml").exists():
            continue
        document = tomllib.loads((project / "pyproject.toml").read_text())
        groups = document.get("dependency-groups", {}).values()
        for text in [*document["project"].get("dependencies", []), *(text for group in groups for text in group)]:
            yield project.name, Requirement(text)


@pytest.mark.parametrize(("project", "requirement"), list(wanted()), ids=str)
def test_the_lock_satisfies_what_a_member_asks_for(project: str, requirement: Requirement) -> None:
    name = canonicalize_name(requirement.name)
    if name.startswith("switchhook-"):
        return
    version = pins().get(name)
    assert version is not None, f"{project} needs {name}: run ./switchhook lock"
    assert requirement.specifier.contains(version, prereleases=True), f"{name} {version}: run ./switchhook lock"


def test_every_pin_has_hashes_and_no_line_names_a_registry() -> None:
    assert "://" not in LOCK
    blocks = re.split(r"\n(?=[a-z0-9])", LOCK.strip())
    assert all("--hash=sha256:" in block for block in blocks)
