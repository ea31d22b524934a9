"""A folder of files: which file is what, read and written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from botfiles.errors import CannotGoOn
from botfiles.kinds import API_CALL, BOT, ENDPOINT, FLOW, SEGMENT, TRIGGER, Kind
from botfiles.things import Found, Wanted, shown
from botfiles.yaml_text import written
from flowlang.language.check import check
from flowlang.language.yaml_text import LONGEST, parse
from flowlang.problems import FlowInvalid

FILE = r"([^/]+)\.(?:yaml|yml|json)"
PLACES = (
    (BOT, re.compile(rf"(bots/[^/]+)/{FILE.replace('([^/]+)', 'bot')}")),
    (FLOW, re.compile(rf"(bots/[^/]+)/flows/{FILE}")),
    (TRIGGER, re.compile(rf"(bots/[^/]+)/triggers/{FILE}")),
    (API_CALL, re.compile(rf"(api-calls)/{FILE}")),
    (ENDPOINT, re.compile(rf"(endpoints)/{FILE}")),
    (SEGMENT, re.compile(rf"(segments)/{FILE}")),
)
MOST_BYTES = 4 * LONGEST
"""Of a file: it has at most LONGEST characters."""
SUFFIXES = (".yaml", ".yml", ".json")


def read_folder(folder: Path, *, must_be: bool = True) -> list[Wanted]:
    """What its files say. Raises CannotGoOn with everything that is wrong with them."""
    if not folder.is_dir() and (must_be or folder.exists()):
        raise CannotGoOn(f"{folder} is no folder")
    wanted, wrong, bots = list[Wanted](), list[str](), dict[str, str]()
    # Bots first: what lies beside them is theirs.
    for path in sorted(_files(folder), key=lambda path: (path.stem != "bot", path)):
        try:
            thing = _read(folder, path, bots)
            if thing.kind is BOT:
                bots[str(Path(thing.path).parent)] = thing.name
            wanted.append(thing)
        except ValueError as error:
            wrong.append(f"{path}: {error}")
    wrong += _twice(wanted)
    if wrong:
        raise CannotGoOn("\n".join(wrong))
    return wanted


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.suffix in SUFFIXES and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def _read(folder: Path, path: Path, bots: dict[str, str]) -> Wanted:
    below = path.relative_to(folder).as_posix()
    for kind, place in PLACES:
        if match := place.fullmatch(below):
            return _thing(kind, below, _value(path), bots, match.group(1))
    raise ValueError("no file has its place here: docs/reference/bot-files.md shows the folder")


def _value(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ValueError("this is no file")
    try:
        with path.open("rb") as file:
            value = parse(file.read(MOST_BYTES + 1).decode())
    except OSError as error:
        raise ValueError(str(error.strerror)) from error
    if not isinstance(value, dict):
        raise ValueError("a file is an object: fields with their values")
    return value


def _thing(kind: Kind, below: str, value: dict[str, Any], bots: dict[str, str], place: str) -> Wanted:
    if kind is FLOW:
        _refuse_wrong(value)
        return Wanted(kind, f"{_bot(bots, place)}/{value['slug']}", below, value)
    content = kind.whole(value)
    if kind is TRIGGER:
        if content["auth"] not in ("token", "url") or (content["auth"] == "url") == (content["token"] is not None):
            raise ValueError("a trigger has auth: url, or the name of a token in the field token")
        return Wanted(kind, f"{_bot(bots, place)}/{Path(below).stem}", below, content)
    if kind is ENDPOINT:
        content["bots"] = sorted(content["bots"])
    return Wanted(kind, str(content["name"]), below, content)


def _bot(bots: dict[str, str], place: str) -> str:
    if place not in bots:
        raise ValueError(f"there is no {place}/bot.yaml beside it, which names the bot")
    return bots[place]


def _refuse_wrong(document: dict[str, Any]) -> None:
    """What a publish would refuse, as far as the document alone tells."""
    try:
        problems = check(document)
    except FlowInvalid as error:
        problems = error.problems
    wrong = [f"{problem.message} ({problem.pointer or '/'})" for problem in problems if problem.severity == "error"]
    if wrong:
        raise ValueError("; ".join(wrong))


def _twice(wanted: Sequence[Wanted]) -> Iterator[str]:
    seen = dict[tuple[str, str], str]()
    for each in wanted:
        before = seen.setdefault((each.kind.word, each.name), each.path)
        if before != each.path:
            yield f"{each.path}: {before} is {each.kind.word} {each.name!r}, too"


class Export:
    """Writes what a project has into a folder. A file that says it already is left as it is, with its comments."""

    def __init__(self, folder: Path, there: Sequence[Wanted]) -> None:
        self._folder, self._paths = folder, {each.path for each in there}
        self._bots = {each.name: str(Path(each.path).parent) for each in there if each.kind is BOT}

    def write(self, found: Found, mine: Wanted | None) -> tuple[Wanted, bool]:
        """What its file says now, and whether it was written. `mine`: what it said before. Raises CannotGoOn."""
        if mine is not None and (mine.content == found.content or shown(mine.kind, mine.content) == found.content):
            return mine, False
        path = self._folder / (mine.path if mine is not None else self._place(found))
        content = found.content if found.kind is FLOW else found.kind.brief(found.content)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(written(content), encoding="utf-8")
        except OSError as error:
            raise CannotGoOn(f"{path}: {error.strerror}") from error
        below = path.relative_to(self._folder).as_posix()
        return Wanted(found.kind, mine.name if mine else self._name(found, path), below, found.content), True

    def _name(self, found: Found, path: Path) -> str:
        return f"{found.name.rpartition('/')[0]}/{path.stem}" if found.kind is TRIGGER else found.name

    def _place(self, found: Found) -> str:
        bot, _, name = found.name.rpartition("/")
        if found.kind is BOT:
            folder = self._free(f"bots/{_file_name(found.name)}", "/bot.yaml")
            self._bots[found.name] = folder.removesuffix("/bot.yaml")
            return folder
        if found.kind in (FLOW, TRIGGER):
            return self._free(f"{self._bots[bot]}/{found.kind.noun}/{_file_name(name)}", ".yaml")
        return self._free(f"{found.kind.noun}/{_file_name(found.name)}", ".yaml")

    def _free(self, stem: str, end: str) -> str:
        number = 1
        while (path := f"{stem}{f'-{number}' if number > 1 else ''}{end}") in self._paths:
            number += 1
        self._paths.add(path)
        return path


def _file_name(name: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", name.casefold()).strip("-") or "unnamed"
