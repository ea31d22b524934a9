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

    def place(self, variable: str) -> str | None:
        """Where the variable of this id is kept, if there is one."""

    def place_of_name(self, name: str) -> str | None:
        """Where the variable of this name is kept, if there is one."""

    def template(self, source: str, block: str) -> str:
        """A text of the export as a template; what is left out of it is reported for the block."""

    def title(self, source: str, block: str, otherwise: str) -> str:
        """A text for a button, `otherwise` where it cannot be one."""

    def way(self, edge: object) -> str | None:
        """The node to which an edge leads."""

    def unit_of(self, group: str, block: str) -> str | None:
        """The node of a block, else the first of a group."""

    def following(self, unit: Unit) -> str | None:
        """The node after a unit: where its edge leads, else the next of its group."""


@dataclass
class Unit:
    """Blocks that become one node: bubbles that follow each other, an input with the bubble before it, or one block."""

    id: str
    blocks: list[dict[str, Any]]
    question: dict[str, Any] | None = None
    next: Unit | None = None

    @property
    def first(self) -> dict[str, Any]:
        """Its first block; of an input, the only one."""
        return self.blocks[0]

    @property
    def type(self) -> str:
        """The type of its first block."""
        return text(self.first, "type")

    @property
    def block(self) -> str:
        """The id of its first block."""
        return text(self.first, "id")
