"""What the last apply or export has seen, of each project: digests, in a file of the folder, `.applied/<project>.json`.

It holds no content and no secret. Written anew after each single change, so that an apply that was interrupted goes on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from botfiles.errors import CannotGoOn
from botfiles.things import Wanted, digest

FOLDER = ".applied"


class Both(NamedTuple):
    """Digests of one part: as the file said it, and as the project had it after that."""

    file: str
    project: str


class Remembered:
    """Of one project. `entries`: `<kind> <name>` -> {id, parts: {part: [file, project]}}."""

    def __init__(self, path: Path | None = None, entries: dict[str, Any] | None = None) -> None:
        self._path, self._entries = path, entries or {}

    def part(self, kind: str, name: str, part: str) -> Both | None:
        """What is known of it; None: nothing."""
        known = self._entries.get(f"{kind} {name}", {}).get("parts", {}).get(part)
        return None if known is None else Both(*known)

    def id(self, kind: str, name: str) -> str | None:
        """The id that it had in the project."""
        known: str | None = self._entries.get(f"{kind} {name}", {}).get("id")
        return known

    def keep(self, thing: Wanted, id: str, part: str, theirs: Any) -> None:
        """A part of `thing` is in the project as `theirs`."""
        entry = self._entries.setdefault(f"{thing.kind.word} {thing.name}", {"id": id, "parts": {}})
        entry["id"] = id
        entry["parts"][part] = [digest(thing.parts[part]), digest(theirs)]

    def forget(self, kind: str, name: str) -> None:
        """It is in the project no more."""
        self._entries.pop(f"{kind} {name}", None)

    def forget_all_but(self, things: Iterable[Wanted]) -> None:
        """Files that are gone are not remembered."""
        names = {f"{thing.kind.word} {thing.name}" for thing in things}
        self._entries = {name: entry for name, entry in self._entries.items() if name in names}

    def save(self) -> None:
        """Replace the file. Raises CannotGoOn."""
        if self._path is None:
            return
        text = json.dumps({"version": 1, "entries": self._entries}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        beside = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(text, encoding="utf-8")
            beside.replace(self._path)
        except OSError as error:
            raise CannotGoOn(f"{self._path}: {error.strerror}") from error


def read_remembered(folder: Path, project: str) -> Remembered:
    """Raises CannotGoOn."""
    path = folder / FOLDER / f"{project}.json"
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Remembered(path)
    except (OSError, ValueError) as error:
        raise CannotGoOn(f"{path} cannot be read ({error}): put back what version control has, or delete it") from error
    if isinstance(known, dict) and known.get("version", 1) != 1:
        raise CannotGoOn(f"{path} was written by another release: use that one, or delete it")
    try:
        return Remembered(path, _checked(known))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise CannotGoOn(f"{path} is not as it was written: put back what version control has, or delete it") from None


def _checked(known: Any) -> dict[str, Any]:
    """The entries, as they are. Raises where they have another form."""
    for entry in known["entries"].values():
        for both in entry["parts"].values():
            if [*map(type, (entry["id"], *both))] != [str] * 3:
                raise ValueError(entry)
    entries: dict[str, Any] = known["entries"]
    return entries
