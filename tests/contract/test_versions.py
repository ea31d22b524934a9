"""One version, in the places that a release knows."""

from __future__ import annotations

import json
import re

from devstack.paths import ROOT
from devstack.release import NEXT_PLACES, PLACES, RECORD, RELEASED, SCHEMAS, VERSION, files_of, revisions, versions

READ = {".py", ".yaml", ".yml", ".toml", ".md", ".sh", ".tpl", ".example"}
FOLDERS = ("contracts/src", "libs", "services", "sdk", "deploy", "docs", "tests/containers", "tests/helm")


def test_every_place_has_the_version() -> None:
    found = versions(ROOT)
    assert len(found) == 17
    assert all(found.values()), "a place of devstack.release lacks what its pattern finds"
    assert len({each for several in found.values() for each in several}) == 1


def test_no_other_file_has_it() -> None:
    (version, *_) = versions(ROOT)["pyproject.toml"]
    known = {file for places in (PLACES, NEXT_PLACES) for file, _ in files_of(ROOT, places)}
    has_it = re.compile(rf"(?<![\d.]){re.escape(version)}(?![\d.-])")
    files = (
        file for folder in FOLDERS for file in (ROOT / folder).rglob("*") if file.suffix in READ and file.is_file()
    )
    others = [file.relative_to(ROOT) for file in files if has_it.search(file.read_text())]
    assert [str(file) for file in others if file not in known] == []


def test_the_last_release_is_recorded_with_its_schemas() -> None:
    record = json.loads((ROOT / RECORD).read_text())
    assert VERSION.fullmatch(record["version"])
    assert re.fullmatch("[0-9a-f]{40}", record["commit"])
    assert record["revisions"].keys() == revisions(ROOT).keys()
    kept = {file.name for file in (ROOT / RELEASED).glob("*.schema.json")}
    assert kept <= {file.name for file in (ROOT / SCHEMAS).glob("*.schema.json")}
