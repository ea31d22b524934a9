"""What Typebot's blocks know of the flow that they stand in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from flowtools.importing.draft import Draft
from flowtools.importing.exports import text


class Flow(Protocol):
    """What blocks need to know of the whole."""

    draft: Draft
    types: dict[str, str]

    def place(self, variable: str) -> str | None: ...
    def place_of_name(self, name: str) -> str | None: ...
    def template(self, source: str, block: str) -> str: ...
    def title(self, source: str, block: str, otherwise: str) -> str: ...
    def way(self, edge: object) -> str | None: ...
    def unit_of(self, group: str, block: str) -> str | None: ...
    def following(self, unit: Unit) -> str | None: ...


@dataclass
class Unit:
    """Blocks that become one node: bubbles that follow each other, an input with the bubble before it, or one block."""

    id: str
    blocks: list[dict[str, Any]]
    question: dict[str, Any] | None = None
    next: Unit | None = None

    @property
    def first(self) -> dict[str, Any]:
        return self.blocks[0]

    @property
    def type(self) -> str:
        return text(self.first, "type")

    @property
    def block(self) -> str:
        return text(self.first, "id")
