"""From an export to a flow document in YAML, with its report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowlang.language.check import check
from flowlang.language.yaml_text import LONGEST
from flowlang.problems import Problem
from flowtools.importing import botpress, typebot
from flowtools.importing.draft import Draft, Finding
from flowtools.importing.exports import LONGEST_EXPORT, MOST_FILES, NotImported, parsed
from flowtools.importing.writing import as_yaml


@dataclass(frozen=True)
class Imported:
    """A flow, and what the author has to know of it."""

    document: dict[str, Any]
    text: str
    findings: tuple[Finding, ...]
    errors: int
    """How many of the findings are errors, which the checker has found in the document."""


def import_file(path: Path, builder: str) -> Imported:
    """The flow of an export. Raises NotImported, OSError."""
    export = parsed(_content(path), path.name)
    flows = next((folder for folder in path.resolve().parents if folder.name == "flows"), None)
    if builder != "botpress" or flows is None:
        return imported(export, builder, {}, path.name)
    return imported(export, builder, _beside(flows.parent), path.resolve().relative_to(flows).as_posix())


def converted(
    export: dict[str, Any], builder: str, beside: Mapping[str, Any], name: str
) -> tuple[dict[str, Any], Draft]:
    """(flow document, what was reported), not yet checked. `beside`: the other files of its bot. Raises NotImported."""
    return BUILDERS[builder](export, beside, name)


def imported(export: Any, builder: str, beside: Mapping[str, Any], name: str) -> Imported:
    """The flow of an export that is parsed, with what the checker says of it. Raises NotImported."""
    if not isinstance(export, dict):
        raise NotImported(f"{name}: an export is a JSON object")
    document, draft = converted(export, builder, beside, name)
    written = as_yaml(document)
    if len(written) > LONGEST:
        raise NotImported(
            f"{name}: it makes {len(written)} characters, and a flow has at most {LONGEST}: import it in parts"
        )
    errors = [_error(problem, draft) for problem in check(document) if problem.severity == "error"]
    return Imported(document, written, (*draft.findings, *errors), len(errors))


def _error(problem: Problem, draft: Draft) -> Finding:
    parts = problem.pointer.split("/")
    block = draft.blocks.get(parts[2], "") if parts[1:2] == ["nodes"] and len(parts) > 2 else ""
    return Finding(block, f"error at {problem.pointer or '/'}", problem.message, "correct it in the flow")


def _typebot(export: dict[str, Any], beside: Mapping[str, Any], name: str) -> tuple[dict[str, Any], Draft]:
    return typebot.imported(export)


BUILDERS: dict[str, Callable[[dict[str, Any], Mapping[str, Any], str], tuple[dict[str, Any], Draft]]] = {
    "typebot": _typebot,
    "botpress": lambda export, beside, name: botpress.imported(export, beside, botpress.flow_slug(name)),
}


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LONGEST_EXPORT + 1)


def _beside(bot: Path) -> dict[str, Any]:
    """The content and the skills of a bot, by their path in its folder. Raises NotImported, OSError."""
    found: dict[str, Any] = {}
    for file in _files(bot):
        if len(found) == MOST_FILES:
            raise NotImported(f"{bot.name}: a bot has at most {MOST_FILES} files of content and skills")
        found[file.relative_to(bot).as_posix()] = parsed(_content(file), file.name)
    return found


def _files(bot: Path) -> Iterator[Path]:
    for pattern in ("content-elements/*.json", "flows/skills/*.flow.json"):
        yield from (file for file in sorted(bot.glob(pattern)) if file.is_file() and not file.is_symlink())
