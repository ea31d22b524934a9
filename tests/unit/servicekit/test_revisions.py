"""The newest revision that the files' names tell is Alembic's head."""

from __future__ import annotations

import pytest
from alembic.script import ScriptDirectory

from servicekit.revisions import newest_of, versions_of


@pytest.mark.parametrize("package", ["registry", "flow_engine", "dispatcher"])
def test_the_last_file_is_the_head(package: str) -> None:
    folder = versions_of(package)
    script = ScriptDirectory(str(folder.parent), version_locations=[str(folder)])
    assert newest_of(package) == script.get_current_head()
    assert len({len(each.revision) for each in script.walk_revisions()}) == 1
