"""Writes what a project has into a folder, and remembers it as what the folder is about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from botfiles.api import Api
from botfiles.folder import Export, read_folder
from botfiles.kinds import BOT, FLOW
from botfiles.planning import paired
from botfiles.project import read_project
from botfiles.remembered import Remembered, read_remembered
from botfiles.things import DRAFT, PUBLISHED, Found, Wanted, as_published, shown


async def export(api: Api, folder: Path, say: Callable[[str], None]) -> None:
    """`say` prints a line. Raises CannotGoOn, ApiRefusal."""
    there = read_folder(folder, must_be=False)
    project = await read_project(api)
    remembered = read_remembered(folder, project.id)
    pairs, rest = paired(there, project.found, remembered)
    both: list[tuple[Wanted | None, Found]] = [(mine, found) for mine, found in pairs if found is not None]
    both += [(None, found) for found in rest]
    writer = Export(folder, there)
    for mine, found in sorted(both, key=_bots_first):
        said, is_new = writer.write(found, mine)
        if is_new:
            say(f"wrote    {said.path}")
        _remember(remembered, said, found)
        if found.kind is FLOW and as_published(found.parts[DRAFT]) != found.parts[PUBLISHED]:
            say(f"note     {said.path}: the draft, which is not what is published: apply would publish it")
    for mine, other in pairs:
        if other is None:
            say(f"left     {mine.path}: the project does not have it")
    remembered.save()


def _bots_first(pair: tuple[Wanted | None, Found]) -> tuple[bool, str, str]:
    found = pair[1]
    return found.kind is not BOT, found.kind.word, found.name


def _remember(remembered: Remembered, said: Wanted, found: Found) -> None:
    for part, theirs in found.parts.items():
        if shown(said.kind, said.parts[part]) == said.parts[part]:  # Else it has values that the project does not show.
            remembered.keep(said, found.id, part, theirs)
