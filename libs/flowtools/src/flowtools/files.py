"""Flow files: their documents, and on which line something of them stands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from flowlang.language.document import parse
from flowlang.language.yaml_text import lines
from flowlang.problems import FlowInvalid, Problem


class CannotRead(Exception):
    """A file that is not there, or no text."""


@dataclass(frozen=True)
class FlowFile:
    """A file in JSON or YAML."""

    name: str
    text: str

    @cached_property
    def document(self) -> dict[str, Any]:
        """Not validated. Raises FlowInvalid when it is neither JSON nor YAML."""
        return parse(self.text)

    @property
    def slug(self) -> str | None:
        """The flow's, where it has a usable one."""
        try:
            slug = self.document.get("slug")
        except FlowInvalid:
            return None
        return slug if isinstance(slug, str) else None

    def line(self, pointer: str) -> int:
        """The line of a JSON pointer; of what is not there, that of what it would stand in."""
        while pointer and pointer not in self._lines:
            pointer = pointer.rpartition("/")[0]
        return self._lines.get(pointer, 1)

    @cached_property
    def _lines(self) -> dict[str, int]:
        try:
            return lines(self.text)
        except ValueError:
            return {}

    def finding(self, problem: Problem) -> str:
        """`FILE:LINE: severity: sentence (pointer, code)`."""
        where = f"{problem.pointer or '/'}, {problem.code}"
        return f"{self.name}:{self.line(problem.pointer)}: {problem.severity}: {problem.message} ({where})"


def read(name: str) -> FlowFile:
    """The file. Raises CannotRead."""
    try:
        return FlowFile(name, Path(name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CannotRead(f"{name}: {getattr(error, 'strerror', None) or 'is not UTF-8'}") from error
