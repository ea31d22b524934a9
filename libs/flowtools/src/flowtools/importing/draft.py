"""The flow document in the making, and the report beside it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from flowlang.expressions.values import NOT_VARIABLES
from flowlang.language.document import MOST_NODES, SCHEMA
from flowtools.importing.exports import NotImported

MOST_VARIABLES = 200
MOST_BLOCKS = 2000
LONGEST_ID = 48
LONGEST_TITLE = 200
MOST_FINDINGS = 1000
"""Lines of a report; where there were more, one says so."""
SHOWN = 60
"""Characters of an export that a line of the report quotes."""
_RESERVED = frozenset(
    ["and", "as", "blank", "contains", "else", "empty", "false", "first", "for", "if", "in", "last", "nil", "not", "null", "or", "size", "true"]
)  # fmt: skip
"""What a merge tag or CEL would not read as the name of a variable."""
_WITH_TARGETS = frozenset(("branches", "input", "options"))
LEFT_OUT = "left out"
"""A node that is not there: what leads to it leads to what follows it."""


@dataclass(frozen=True)
class Finding:
    """Something that was not taken over as it was."""

    block: str
    """Its id in the export; empty: the whole flow."""
    what: str
    instead: str
    to_do: str

    def as_json(self) -> dict[str, str]:
        """Its fields, each as one line."""
        return {
            "block": printable(self.block),
            "what": printable(self.what),
            "instead": printable(self.instead, LONGEST_TITLE),
            "to_do": printable(self.to_do, LONGEST_TITLE),
        }

    def line(self) -> str:
        """It as one line of the report."""
        where = f"block {printable(self.block)}" if self.block else "the flow"
        return f"{where}: {printable(self.what)}: {self.instead}; {self.to_do}"


@dataclass
class Draft:
    """Nodes under construction. Targets may name nodes that are added later."""

    name: str
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    blocks: dict[str, str] = field(default_factory=dict)
    """Node → the block that it was."""
    findings: dict[Finding, None] = field(default_factory=dict)
    """Each once, in their order."""
    triggers: list[dict[str, Any]] = field(default_factory=list)
    _ids: set[str] = field(default_factory=set)
    _places: dict[tuple[str, str], str] = field(default_factory=dict)
    _types: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.end = self.new_id("end")
        """The node where ways lead that have to lead somewhere."""
        self.add(self.end, "", {"type": "end"})

    def new_id(self, hint: str) -> str:
        """An id that no node has yet, like `hint`."""
        if len(self._ids) >= MOST_BLOCKS:
            raise NotImported(f"an export has at most {MOST_BLOCKS} blocks: import it in parts")
        return _unique(identifier(hint, "node"), self._ids)

    def add(self, id: str, block: str, node: dict[str, Any]) -> None:
        """A node; targets that are None are left out."""
        ports = {port: to for port, to in node.get("ports", {}).items() if to}
        self.nodes[id] = {name: value for name, value in node.items() if name != "ports"}
        if ports:
            self.nodes[id]["ports"] = ports
        self.blocks[id] = block

    def leave_out(self, id: str, block: str, following: str | None) -> None:
        """No node: what leads here goes on to `following`."""
        self.add(id, block, {"type": LEFT_OUT, "ports": {"next": following}})

    def report(self, block: str, what: str, instead: str, to_do: str) -> None:
        """Note it, once."""
        found = Finding(block, what, instead, to_do)
        if found not in self.findings and len(self.findings) >= MOST_FINDINGS:
            found = Finding("", "more than the report has room for", "not listed", "import it in parts")
        self.findings[found] = None

    def place(self, scope: str, name: str) -> str:
        """Where a variable of the export is kept here."""
        if (scope, name) not in self._places:
            if len(self._places) >= MOST_VARIABLES:
                raise NotImported(f"a flow has at most {MOST_VARIABLES} variables: import it in parts")
            taken = {place.partition(".")[2] for place in self._places.values()} | NOT_VARIABLES | _RESERVED
            self._places[scope, name] = f"{scope}.{_unique(identifier(name, 'value').lower(), taken)}"
        return self._places[scope, name]

    def declare(self, place: str, type: str) -> None:
        """What the variable holds."""
        self._types[place] = type

    def document(self, start: str | None) -> dict[str, Any]:
        """The flow. Raises NotImported."""
        start = self._beyond(start) or self.end
        if start == self.end:
            self.report("", "the start", "it leads nowhere, so the flow ends at once", "draw where it begins")
        triggers = [{**one, "to": to} for one in self.triggers if (to := self._beyond(one["to"]))]
        nodes = {id: self._retargeted(node) for id, node in self.nodes.items() if node["type"] != LEFT_OUT}
        reached = _reached(nodes, [start, *(one["to"] for one in triggers)])
        for block in dict.fromkeys(self.blocks[id] for id in nodes if id not in {*reached, self.end}):
            self.report(block, "nothing leads to it", "left out", "nothing, or draw a way to it before you export")
        nodes = {id: node for id, node in nodes.items() if id in reached}
        if len(nodes) > MOST_NODES:
            raise NotImported(f"it makes {len(nodes)} nodes, and a flow has at most {MOST_NODES}: import it in parts")
        entry = {"id": "start", "type": "command", "value": "/start", "to": start}
        return {
            "schema": SCHEMA,
            "slug": slug(self.name),
            "name": printable(self.name, LONGEST_TITLE) or "Imported",
            "start": start,
            **({"variables": self._declared()} if self._types else {}),
            "triggers": [entry, *triggers],
            "nodes": nodes,
        }

    def _declared(self) -> dict[str, Any]:
        split = {place.partition(".")[::2]: type for place, type in self._types.items()}
        return {name: {"type": type, "scope": scope} for (scope, name), type in sorted(split.items())}

    def _beyond(self, to: str | None) -> str | None:
        """The first real node from here; None where there is none."""
        seen = set()
        while to is not None and to not in seen:
            seen.add(to)
            node = self.nodes.get(to)
            if node is None or node["type"] != LEFT_OUT:
                return to if node else None
            to = node.get("ports", {}).get("next")
        return None

    def _retargeted(self, node: dict[str, Any]) -> dict[str, Any]:
        """The node with targets that are there."""
        changed: dict[str, Any] = with_targets(node, self._beyond, self.end)
        return changed


def with_targets(node: Any, target: Callable[[str], str | None], end: str) -> Any:
    """A node, or a part of one, with each target looked up. One that leads nowhere is left out where the path may end there,
    and else `end`."""
    if isinstance(node, list):
        return [with_targets(one, target, end) for one in node]
    if not isinstance(node, dict):
        return node
    made: dict[str, Any] = {}
    for name, inner in node.items():
        if name == "ports":
            found = {port: target(to) or (end if port == "ok" else None) for port, to in inner.items()}
            made |= {name: ports} if (ports := {port: to for port, to in found.items() if to}) else {}
        elif name == "to":
            made[name] = target(inner) or end
        elif name == "else":
            made |= {name: to} if (to := target(inner)) else {}
        else:
            made[name] = with_targets(inner, target, end) if name in _WITH_TARGETS else inner
    return made


def _reached(nodes: dict[str, dict[str, Any]], entries: list[str]) -> set[str]:
    reached: set[str] = set()
    waiting = list(entries)
    while waiting:
        id = waiting.pop()
        if id not in reached:
            reached.add(id)
            waiting += targets(nodes[id])
    return reached


def targets(node: dict[str, Any]) -> list[str]:
    """The nodes that it leads to."""
    found: list[str] = []

    def note(to: str) -> str:
        found.append(to)
        return to

    with_targets(node, note, "")
    return found


def identifier(source: str, otherwise: str) -> str:
    """Letters, digits and `_`, none of them at the beginning a digit."""
    plain = unicodedata.normalize("NFKD", source[: SHOWN * 4]).encode("ascii", "ignore").decode()
    made = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")[:LONGEST_ID].strip("_")
    return f"{otherwise}_{made}" if made[:1].isdecimal() else made or otherwise


def slug(source: str) -> str:
    """A flow's slug that is like `source`."""
    return identifier(source, "flow").replace("_", "-").lower()


def _unique(name: str, taken: set[str]) -> str:
    found = next(one for one in _numbered(name) if one not in taken)
    taken.add(found)
    return found


def _numbered(name: str) -> Iterator[str]:
    yield name
    count = 2
    while True:
        yield f"{name}_{count}"
        count += 1


def printable(source: str, most: int = SHOWN) -> str:
    """One line of it, for a report or a name."""
    line = " ".join("".join(one if one.isprintable() else " " for one in source[: 4 * most]).split())
    return line if len(line) <= most else line[: most - 1] + "…"
