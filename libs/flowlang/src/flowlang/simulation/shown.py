"""Turns, effects and states as JSON."""

from __future__ import annotations

import re
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from flowlang.model import Contact, Conversation, Effect, Happening, RunEnd, Turn
from flowlang.running import state

_OF_THE_STAGE = frozenset(("key", "project_id", "bot_id", "channel_id", "peer_id", "contact_id"))
"""Fields of a conversation that are the same in every simulation."""
_HUMP = re.compile(r"(?<!^)(?=[A-Z])")


def turn(happening: Happening, turn: Turn) -> dict[str, Any]:
    """`{event, at, nodes, effects, ends, refused?}`."""
    shown: dict[str, Any] = {
        "event": {"kind": happening.kind, "data": happening.data},
        "at": happening.now,
        "nodes": [_node(step) for step in turn.steps],
        "effects": [effect(one) for one in turn.effects],
        "ends": [_end(one) for one in turn.rests],
    }
    if turn.refused is not None:
        shown["refused"] = _set_fields(turn.refused)
    return shown


def effect(effect: Effect) -> dict[str, Any]:
    """`{effect: call_api, …}`, with the fields that are not at their default."""
    return {"effect": _HUMP.sub("_", type(effect).__name__).lower(), **_set_fields(effect)}


def state_of(conversation: Conversation, contact: Contact) -> dict[str, Any]:
    """`{conversation, contact}`: what is kept between two turns."""
    kept = {name: value for name, value in state.to_dict(conversation).items() if name not in _OF_THE_STAGE}
    return {"conversation": kept, "contact": person(contact)}


def person(contact: Contact) -> dict[str, Any]:
    """`{name, lecture, …, tags, flags}`: profile fields and variables by their names."""
    return {**contact.variables, **contact.profile, "tags": list(contact.tags), "flags": list(contact.flags)}


def _node(step: dict[str, Any]) -> dict[str, Any]:
    named = {name: value for name, value in step.items() if name not in ("flow_id", "flow_version")}
    return {"flow": step["flow_id"], **named} if "flow_id" in step else named


def _end(end: RunEnd) -> dict[str, Any]:
    """Without its cause, the id of an event."""
    return {name: value for name, value in _set_fields(end).items() if name not in ("cause", "since_seq")}


def _set_fields(value: Any) -> dict[str, Any]:
    found = {}
    for one in fields(value):
        held = getattr(value, one.name)
        if held != _default(one):
            found[one.name] = _plain(held)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Contact):
        return person(value)
    if is_dataclass(value):
        return _set_fields(value)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    return value


def _default(one: Field[Any]) -> Any:
    return one.default if one.default_factory is MISSING else one.default_factory()
