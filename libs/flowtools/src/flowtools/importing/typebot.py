"""Typebot's public JSON, versions 5 and 6: groups of blocks, and edges between them.

What the groups are is read here; what becomes of each type of block is in the tables of `typebot_blocks`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from flowtools.importing.draft import LONGEST_TITLE, Draft
from flowtools.importing.exports import NotImported, objects, text
from flowtools.importing.texts import template
from flowtools.importing.typebot_blocks import BUBBLES, BUILT, INPUTS, held, leave_out
from flowtools.importing.typebot_flow import Unit
from flowtools.importing.typebot_texts import plain

MOST_PARTS = 10
"""Messages of one `say`."""
_TAG = re.compile(r"\{\{([^{}]{1,500})\}\}")
_COMMAND = re.compile(r"/?[^\s/@][^\s@]{0,60}")


def imported(export: dict[str, Any]) -> tuple[dict[str, Any], Draft]:
    """(flow document, what was reported). Raises NotImported."""
    if not any(True for group in objects(export, "groups") for _ in objects(group, "blocks")):
        raise NotImported("there are no groups with blocks in it: is it a flow that Typebot 2 or 3 exported?")
    flow = _Flow(export)
    return flow.document(), flow.draft


class _Flow:
    """One export: what blocks need to know of the whole."""

    def __init__(self, export: dict[str, Any]) -> None:
        self.draft = Draft(text(export, "name") or "typebot")
        self._names = {text(one, "id"): text(one, "name") for one in objects(export, "variables") if text(one, "name")}
        self._ids = {name: id for id, name in self._names.items()}
        self._edges = {text(one, "id"): one for one in objects(export, "edges")}
        self._targeted = {text(edge, "to", "blockId") for edge in self._edges.values()}
        self._events = list(objects(export, "events"))
        self._units: list[Unit] = []
        self._of_block: dict[str, Unit] = {}
        self._of_group: dict[str, Unit] = {}
        self._start: str | None = None
        self.types: dict[str, str] = {}
        blocks = [block for group in objects(export, "groups") for block in objects(group, "blocks")]
        self._declare(blocks)
        for group in objects(export, "groups"):
            self._read(group)

    def document(self) -> dict[str, Any]:
        """The flow. Raises NotImported."""
        for unit in self._units:
            BUILT.get(unit.type, leave_out)(self, unit)
        for event in self._events:
            self._enter(event)
        return self.draft.document(self.way(self._start))

    def place(self, variable: str) -> str | None:
        """Where the variable of this id is kept."""
        name = self._names.get(variable)
        return self.draft.place("memory", name) if name else None

    def place_of_name(self, name: str) -> str | None:
        return self.place(self._ids.get(name, ""))

    def template(self, source: str, block: str) -> str:
        """A text of the export as a template."""

        def merge_tag(found: re.Match[str]) -> str:
            place = self.place_of_name(found[1].strip())
            if place:
                return f"{{{{ {place} }}}}"
            what = "expression" if found[1].startswith("=") else "variable that is not declared"
            self.draft.report(block, f"{what} {found[0]}", "left out of the text", "write a merge tag in its place")
            return ""

        return template(source, _TAG, merge_tag)

    def title(self, source: str, block: str, otherwise: str) -> str:
        """A text for a button."""
        if len(source) > LONGEST_TITLE:
            self.draft.report(block, f"title of {len(source)} characters", "cut off", "write a shorter one")
        made = self.template(source[:LONGEST_TITLE], block)
        return made if made.strip() and len(made) <= LONGEST_TITLE else otherwise

    def way(self, edge: object) -> str | None:
        """The node to which an edge leads."""
        found = self._edges.get(edge) if isinstance(edge, str) else None
        return self.unit_of(text(found, "to", "groupId"), text(found, "to", "blockId"))

    def unit_of(self, group: str, block: str) -> str | None:
        """The node of a block, or the first of a group."""
        to = self._of_block.get(block) or self._of_group.get(group)
        return to.id if to else None

    def following(self, unit: Unit) -> str | None:
        """The node after a unit: where its edge leads, else the next of its group."""
        return self.way(text(unit.blocks[-1], "outgoingEdgeId")) or (unit.next.id if unit.next else None)

    def _declare(self, blocks: Iterable[dict[str, Any]]) -> None:
        """What variables hold; those of which it is not known are not declared."""
        holds: dict[str, set[str]] = {}
        for variable, type in (pair for block in blocks for pair in held(block)):
            if place := self.place(variable):
                holds.setdefault(place, set()).add(type)
        for name in self._names:
            place = self.place(name) or ""
            kinds = holds.get(place, {"string"})
            if kinds in ({"string"}, {"number"}):
                self.types[place] = next(iter(kinds))
                self.draft.declare(place, self.types[place])

    def _read(self, group: dict[str, Any]) -> None:
        """The units of a group."""
        last: Unit | None = None
        for block in objects(group, "blocks"):
            if text(block, "type") == "start":
                self._start = text(block, "outgoingEdgeId")
                continue
            unit = _taken_up(last, block, text(block, "id") in self._targeted)
            if unit is None:
                unit = Unit(self.draft.new_id(text(group, "title") or "group"), [block])
                unit.question = _question(last, block)
                self._units.append(unit)
                if last:
                    last.next = unit
            for place in filter(None, (text(unit.question, "id"), text(block, "id"))):
                self._of_block[place] = unit
            if text(group, "id"):
                self._of_group.setdefault(text(group, "id"), unit)
            last = unit

    def _enter(self, event: dict[str, Any]) -> None:
        kind, id, command = text(event, "type"), text(event, "id"), text(event, "options", "command")
        to = self.way(text(event, "outgoingEdgeId"))
        if kind == "start":
            self._start = text(event, "outgoingEdgeId")
        elif kind == "command" and to and _COMMAND.fullmatch(command) and command.strip("/") != "start":
            value = "/" + command.strip("/")
            if all(one["value"] != value for one in self.draft.triggers):
                id = f"command_{len(self.draft.triggers) + 1}"
                self.draft.triggers.append({"id": id, "type": "command", "value": value, "to": to})
        else:
            self.draft.report(id, f"event {kind} {command}", "left out", "add a trigger if it is needed")


def _taken_up(last: Unit | None, block: dict[str, Any], targeted: bool) -> Unit | None:
    """The unit that the block belongs to, if one has begun: bubbles that follow each other, and an input after one."""
    if last is None or last.type not in BUBBLES or text(last.blocks[-1], "outgoingEdgeId"):
        return None
    if text(block, "type") in BUBBLES and not targeted and len(last.blocks) < MOST_PARTS:
        last.blocks.append(block)
        return last
    if text(block, "type") in INPUTS and len(last.blocks) == 1 and _asks(last.blocks[0]):
        last.question, last.blocks = last.blocks[0], [block]
        return last
    return None


def _question(last: Unit | None, block: dict[str, Any]) -> dict[str, Any] | None:
    """The bubble before an input."""
    if last is None or last.type not in BUBBLES or text(block, "type") not in INPUTS or not _asks(last.blocks[-1]):
        return None
    return last.blocks.pop() if len(last.blocks) > 1 else None


def _asks(bubble: dict[str, Any]) -> bool:
    return text(bubble, "type") == "text" and not text(bubble, "outgoingEdgeId") and bool(plain(bubble).strip())
