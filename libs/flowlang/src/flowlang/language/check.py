"""What is wrong with a document: everything at once, each with its place and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from contracts.people import PROFILE_FIELDS
from flowlang.building.compiler import Compiler, KnownNames, Reference
from flowlang.expressions.scopes import ROOTS
from flowlang.expressions.values import NOT_VARIABLES
from flowlang.language import document as documents
from flowlang.language.build import build_all
from flowlang.language.document import Document
from flowlang.language.events import stale_events
from flowlang.language.meant import open_ends, type_mismatches, unhandled_calls, waits_past_the_end
from flowlang.names import Nearest
from flowlang.nodes.base import Edge
from flowlang.problems import FlowInvalid, Problem, pointer
from flowlang.triggers.base import Claim

MOST_WORDS = 2000
"""Of all keywords of a flow: every message that nothing else takes is searched for them."""
_FILLED_BY_OTHERS = frozenset(("bot", "event", "system", "temp"))


def check(raw: Mapping[str, Any] | Document, known: KnownNames | None = None) -> list[Problem]:
    """All problems of a document, in its order: errors refuse a publish, warnings do not."""
    try:
        loaded = raw if isinstance(raw, Document) else documents.load(raw)
    except FlowInvalid as error:
        return error.problems
    compiler = Compiler(known)
    build_all(loaded, compiler)
    found = [
        *compiler.problems,
        *_structural_problems(loaded),
        *_commands_taken(loaded, compiler.known),
        *unhandled_calls(loaded),
        *waits_past_the_end(loaded),
        *type_mismatches(loaded, compiler),
        *stale_events(loaded, compiler, [node for node, _ in _entries(loaded)]),
        *_unwritten_variables(loaded, compiler),
    ]
    return sorted(dict.fromkeys(found), key=lambda problem: (problem.severity, problem.pointer))


def _structural_problems(document: Document) -> list[Problem]:
    return [
        *unknown_targets(document),
        *_equal_triggers(document),
        *_too_many_words(document),
        *_unreachable(document, reached := _reached(document)),
        *open_ends(document, reached),
        *_endless_cycles(document),
    ]


def _entries(document: Document) -> Iterator[tuple[str, str]]:
    """(node, pointer) of all that leads into the graph from outside."""
    yield document.start, "/start"
    for index, trigger in enumerate(document.triggers):
        yield trigger.to, pointer("triggers", index, "to")
    if document.on_error:
        yield document.on_error, "/on_error"


def _edges(document: Document) -> dict[str, list[Edge]]:
    return {id: list(model.edges()) for id, model in document.nodes.items()}


def unknown_targets(document: Document) -> Iterator[Problem]:
    """Ways that lead to no node."""
    inner = ((e.to, pointer("nodes", id, *e.place)) for id, edges in _edges(document).items() for e in edges)
    near = Nearest(document.nodes)
    for to, place in (*_entries(document), *inner):
        if to not in document.nodes:
            message = f"there is no node {to!r}: name one that exists or add it{near.hint(to)}"
            yield Problem(place, "error", "unknown-target", message)


def _equal_triggers(document: Document) -> Iterator[Problem]:
    ids: set[str] = set()
    claimed: set[str] = set()
    for index, trigger in enumerate(document.triggers):
        if trigger.id in ids:
            yield Problem(
                pointer("triggers", index, "id"), "error", "duplicate-id", f"the id {trigger.id!r} is there twice"
            )
        ids.add(trigger.id)
        for claim in trigger.claims():
            if claim.name in claimed:
                yield _taken(index, claim, "another trigger of this flow")
            claimed.add(claim.name)


def commands_of(document: Document) -> tuple[str, ...]:
    """What it claims in its bot, as KnownNames.commands has it: `chat /start`."""
    return tuple(claim.name for trigger in document.triggers for claim in trigger.claims())


def _too_many_words(document: Document) -> Iterator[Problem]:
    words = sum(trigger.words() for trigger in document.triggers)
    if words > MOST_WORDS:
        message = f"the keywords of a flow have at most {MOST_WORDS} words, these have {words}: say them as a `pattern`"
        yield Problem("/triggers", "error", "too-many-words", message)


def _taken(index: int, claim: Claim, by: str) -> Problem:
    message = f"{claim.text} of {by} too: change one, or give one a `when`"
    return Problem(pointer("triggers", index, claim.place), "error", claim.code, message)


def _commands_taken(document: Document, known: KnownNames) -> Iterator[Problem]:
    others = {name if name.startswith("button ") else name.casefold(): slug for name, slug in known.commands.items()}
    for index, trigger in enumerate(document.triggers):
        for claim in trigger.claims():
            if slug := others.get(claim.name):
                yield _taken(index, claim, f"the flow {slug!r}")


def _reached(document: Document) -> set[str]:
    edges = _edges(document)
    seen: set[str] = set()
    waiting = [node for node, _ in _entries(document) if node in document.nodes]
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting.extend(edge.to for edge in edges[node] if edge.to in document.nodes)
    return seen


def _unreachable(document: Document, reached: set[str]) -> Iterator[Problem]:
    for node in document.nodes:
        if node not in reached:
            message = "nothing leads here: draw a way to it or remove it"
            yield Problem(pointer("nodes", node), "error", "unreachable", message)


def _endless_cycles(document: Document) -> Iterator[Problem]:
    """Cycles that one turn would walk for ever: no node on them waits."""
    ways = {
        id: [edge.to for edge in model.edges() if edge.same_turn and edge.to in document.nodes]
        for id, model in document.nodes.items()
        if not model.WAITS
    }
    done: set[str] = set()
    for start in ways:
        for node in _cycle_from(start, ways, done):
            message = "this goes round without ever waiting: put a question, a delay or an end into the circle"
            yield Problem(pointer("nodes", node), "error", "endless-cycle", message)


def _cycle_from(start: str, ways: Mapping[str, Iterable[str]], done: set[str]) -> Iterator[str]:
    """The nodes at which a depth-first walk from `start` comes back to its own path."""
    path: dict[str, Iterator[str]] = {}
    node: str | None = start
    while node is not None:
        if node not in path and node not in done:
            path[node] = iter(ways[node])
        following = next((to for to in path.get(node, iter(())) if to in ways and to not in done), None)
        if following in path:
            yield str(following)
        elif following is not None:
            node = following
            continue
        else:
            path.pop(node, None)
            done.add(node)
            node = next(reversed(path), None)


def _unwritten_variables(document: Document, compiler: Compiler) -> Iterator[Problem]:
    known = compiler.writes | {(one.scope, name) for name, one in document.variables.items()}
    known |= {("user", name) for name in (*PROFILE_FIELDS, *NOT_VARIABLES)}
    near = Nearest({*ROOTS, *map(".".join, known)})
    for path, place in compiler.reads:
        yield from _judged(path, place, known, near)


def _judged(path: Reference, place: str, known: set[Reference], near: Nearest) -> Iterator[Problem]:
    root = "user" if path[0] == "contact" else path[0]
    if root == "secret":
        yield Problem(place, "error", "secret", "a secret stands only in auth headers, never in a text")
    elif root not in ROOTS:
        names = ", ".join(sorted(ROOTS))
        message = f"there is no {root!r}: a name begins with one of {names}{_meant(near, '.'.join(path))}"
        yield Problem(place, "error", "unknown-name", message)
    elif root not in _FILLED_BY_OTHERS and len(path) > 1 and (root, path[1]) not in known:
        name = f"{root}.{path[1]}"
        message = (
            f"{name} is neither declared in `variables` nor written by a node: it may be empty{_meant(near, name)}"
        )
        yield Problem(place, "warning", "undeclared-variable", message)


def _meant(near: Nearest, name: str) -> str:
    found = near.to(name)
    return f"; the nearest known name is {found}" if found else ""
