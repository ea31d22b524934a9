"""A package's revisions of its schema, as files: `<package>/migrations/versions/0002_what_it_does.py`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def versions_of(package: str) -> Path:
    """The folder of a package's revisions. Raises ValueError when it has none."""
    spec = find_spec(package)
    folder = Path(spec.origin).parent / "migrations" / "versions" if spec and spec.origin else None
    if folder is None or not folder.is_dir():
        raise ValueError(f"{package} has no migrations/versions")
    return folder


def newest_of(package: str) -> str:
    """The id of the last revision. Ids begin the files' names and have one width, so that they sort as text; to ask
    Alembic instead would have every service carry it in memory."""
    return max(file.stem.split("_")[0] for file in versions_of(package).glob("[0-9]*.py"))
