"""What `event` is at each node, and where a document reads of it what an earlier event had.

`event` is what is happening now: behind a node that waits it is what was waited for. A node is judged by the ways that the document
draws to it; how it is entered from outside may be any event.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from flowlang.building.compiler import Compiler
from flowlang.language.document import Document
from flowlang.nodes.base import ANY, SAME, NodeModel
from flowlang.problems import Problem, pointer

_HAS = {
    "message": frozenset(("text", "payload", "type", "message_id", "attachments")),
    "timer": frozenset[str](),
    "signal": frozenset(("name", "data")),
    "call_result": frozenset(("outcome", "status", "body", "error")),
}
"""What the events that nodes wait for have, of the names below."""
_TOLD = frozenset(
    ("text", "payload", "attachments", "variables", "entry", "content", "content_raw", "options", "data", "body")
)
"""Names of which it is known which events have them. Of others nothing is said: whoever starts a flow may bring more."""
_ARE = {
    "message": "the person's answer",
    "timer": "that a time is over",
    "signal": "the signal that was waited for",
    "call_result": "the answer of a call",
}


def stale_events(document: Document, compiler: Compiler, entries: Iterable[str]) -> Iterator[Problem]:
    """Reads of `event` where it has been another one by then on each way there."""
    here = _events(document, entries)
    whose = {pointer("nodes", id): id for id in document.nodes}
    for path, place in compiler.reads:
        node = whose.get("/".join(place.split("/")[:3]), "")
        if node not in here or path[0] != "event" or len(path) < 2 or path[1] not in _TOLD:
            continue
        kinds = here[node] | _own(document.nodes[node])
        if kinds <= _HAS.keys() and not any(path[1] in _HAS[kind] for kind in kinds):
            yield Problem(place, "warning", "stale-event", _sentence(path[1], kinds))


def _own(model: NodeModel) -> frozenset[str]:
    """What a node itself may see beside what it is entered with: some of its texts are shown after its wait."""
    return frozenset(model.events_behind()) - {SAME}


def _events(document: Document, entries: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """Node → kinds of what `event` may be there; of nodes to which a way leads."""
    found: defaultdict[str, frozenset[str]] = defaultdict(frozenset)
    waiting = [node for node in entries if node in document.nodes]
    found.update(dict.fromkeys(waiting, frozenset((ANY,))))
    while waiting:
        node = waiting.pop()
        for edge in document.nodes[node].edges():
            if edge.to not in document.nodes:
                continue
            behind = frozenset(edge.events) - {SAME} | (found[node] if SAME in edge.events else frozenset())
            if not behind <= found[edge.to]:
                found[edge.to] |= behind
                waiting.append(edge.to)
    return found


def _sentence(name: str, kinds: frozenset[str]) -> str:
    now = " or ".join(_ARE[kind] for kind in sorted(kinds))
    return f"`event` is {now} here, which has no `{name}`: keep it before, by `set` as memory.{name}, and read that"
