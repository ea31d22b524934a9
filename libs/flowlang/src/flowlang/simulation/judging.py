"""What was expected and is not so, as sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from flowlang.language.cases import Expected
from flowlang.simulation.simulation import Played

CALLS = ("call_api", "request_action", "ask_model")
"""Effects that a case's `calls` are about."""


def misses(expected: Expected, played: Sequence[Played]) -> Iterator[tuple[str, str]]:
    """(field, sentence) of each thing that these steps have not done; the last one's state counts."""
    effects = [effect for step in played for effect in step.effects]
    turns = [turn for step in played for turn in step.turns]
    after = played[-1].after if played else {}
    texts = [effect["text"] for effect in effects if effect["effect"] == "say"]
    if expected.says is not None and list(expected.says) != texts:
        yield "says", _instead(list(expected.says), texts)
    for part in expected.mentions:
        if not any(part in text for text in texts):
            yield "mentions", f"no text has {part!r}: {texts}"
    if expected.nodes is not None and list(expected.nodes) != (visited := visited_nodes(turns)):
        yield "nodes", _instead(list(expected.nodes), visited)
    session = after.get("conversation", {}).get("session") or {}
    if "waits_at" in expected.model_fields_set:
        waits_at = (session.get("wait") or {}).get("node")
        if expected.waits_at != waits_at:
            yield "waits_at", _instead(expected.waits_at, waits_at)
    for name, wanted, found in (
        ("user", expected.user, after.get("contact", {})),
        ("memory", expected.memory, session.get("memory") or {}),
    ):
        for key, value in wanted.items():
            if not _fits(value, found.get(key)):
                yield f"{name}/{key}", _instead(value, found.get(key))
    if expected.webhooks is not None:
        yield from _all_fit("webhooks", expected.webhooks, _of(effects, "post_webhook"))
    if expected.calls is not None:
        yield from _all_fit("calls", expected.calls, [_call(one) for one in _of(effects, *CALLS)])
    for wanted in expected.effects:
        if not any(_fits(wanted, effect) for effect in effects):
            yield "effects", f"there is no {wanted}"
    told = [effect["type"] for effect in effects if effect["effect"] == "emit_event"]
    for event in expected.events:
        if event not in told:
            yield "events", f"no {event} was told: {told}"
    if expected.ends is not None and expected.ends != (end := _end(turns)):
        yield "ends", _instead(expected.ends, end)


def visited_nodes(turns: Iterable[dict[str, Any]]) -> list[str]:
    """In their order; one that waited is there again when it goes on, unless nothing was visited meanwhile."""
    visited: list[str] = []
    for turn in turns:
        for step in turn["nodes"]:
            if step["node"] is not None and visited[-1:] != [step["node"]]:
                visited.append(step["node"])
    return visited


def _end(turns: Sequence[dict[str, Any]]) -> str | None:
    """What became of the last event that somebody could wait for."""
    for turn in reversed(turns):
        if "refused" in turn:
            return "refused"
        if turn["ends"]:
            status: str = turn["ends"][-1]["status"]
            return status
    return None


def _of(effects: Iterable[dict[str, Any]], *kinds: str) -> list[dict[str, Any]]:
    return [effect for effect in effects if effect["effect"] in kinds]


def _call(effect: dict[str, Any]) -> dict[str, Any]:
    """Without the level `fields` that the dispatcher's records have: a case names the URL of a request as it names an API call."""
    named = {name: value for name, value in effect.items() if name not in ("effect", "fields")}
    return {**named, **effect.get("fields", {})}


def _all_fit(name: str, wanted: Sequence[dict[str, Any]], found: Sequence[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    if len(wanted) != len(found):
        yield name, f"{len(wanted)} are expected, there are {len(found)}: {list(found)}"
        return
    for index, (one, other) in enumerate(zip(wanted, found, strict=True)):
        if not _fits(one, other):
            yield f"{name}/{index}", _instead(one, other)


def _fits(wanted: Any, found: Any) -> bool:
    """Objects have what is wanted of them, all else is equal."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_fits(value, found.get(name)) for name, value in wanted.items())
    if isinstance(wanted, (list, tuple)):
        return (
            isinstance(found, (list, tuple))
            and len(wanted) == len(found)
            and all(_fits(one, other) for one, other in zip(wanted, found, strict=True))
        )
    return type(wanted) is type(found) and bool(wanted == found)


def _instead(wanted: Any, found: Any) -> str:
    return f"expected {wanted!r}, was {found!r}"
