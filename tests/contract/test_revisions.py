"""A service looks for its newest revision by the files' names (servicekit.revisions), so these rise along the chain."""

import re
from pathlib import Path

import pytest

from devstack.paths import ROOT

FOLDERS = sorted(ROOT.glob("services/*/src/*/migrations/versions"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parts[-4])
def test_each_revision_follows_the_one_whose_name_is_before_its_own(folder: Path) -> None:
    files = sorted(folder.glob("[0-9]*.py"))
    chain = [re.findall(r'^(?:down_)?revision = (?:"(\w+)"|None)$', file.read_text(), re.MULTILINE) for file in files]
    names = [file.stem.split("_")[0] for file in files]
    assert chain == [[name, before] for name, before in zip(names, ["", *names], strict=False)]
