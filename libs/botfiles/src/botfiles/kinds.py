"""The kinds of things that a folder holds: their fields, as files write them, and what is said where a file says nothing.

tests/contract/test_bot_files.py compares the fields with those that the registry takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from contracts.event_types import offered
from contracts.registry import OptOut

Content = dict[str, Any]


def _as_it_is(content: Content) -> Content:
    return content


def _bot(content: Content) -> Content:
    words = content["opt_out"]
    return content if words is None else content | {"opt_out": OptOut().model_dump(mode="json") | words}


def _endpoint(content: Content) -> Content:
    rate = content["rate_limit"]
    events = [type for choice in content["events"] for type in _types(choice)]
    return content | {
        "events": list(dict.fromkeys(events)),
        "rate_limit": rate if rate is None else {"per_seconds": 1} | rate,
    }


def _types(choice: Any) -> list[Any]:
    if not isinstance(choice, str) or not choice.endswith(".*"):
        return [choice]
    return [type for type in offered() if type.startswith(choice[:-1])]


_NEEDED: Mapping[str, Any] = {"events": [], "document": {}}
"""Fields without a default that are no texts."""
_NO_TEXTS = ("opt_out", "rate_limit", "schedule")
"""Fields that are none by default, and else no texts."""


def _other_than(default: Any, name: str, value: Any) -> str | None:
    """What a field has to be, by its default, where it is something else. Numbers are the registry's to look at."""
    if isinstance(default, dict):
        return None if isinstance(value, dict) else "an object"
    if isinstance(default, list):
        return None if isinstance(value, list) and all(isinstance(one, str) for one in value) else "a list of texts"
    if (default is None and (value is None or name in _NO_TEXTS)) or isinstance(default, (int, float)):
        return None
    return None if isinstance(value, str) else "a text"


@dataclass(frozen=True, slots=True)
class Kind:
    """`noun`: in the API's paths. `required` and `optional`: fields of its files, the latter with what holds where one is left
    out. `spell_out`: a content with all fields -> as the registry shows it. `always`: optional fields that are written whatever they
    say. `fixed`: fields that no change can have."""

    word: str
    noun: str
    required: tuple[str, ...]
    optional: Mapping[str, Any] = field(default_factory=dict)
    spell_out: Callable[[Content], Content] = _as_it_is
    always: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()

    def whole(self, given: Mapping[str, Any]) -> Content:
        """All fields, as the registry shows them. Raises ValueError naming the field."""
        for name in given:
            if name not in self.required and name not in self.optional:
                known = ", ".join((*self.required, *self.optional))
                raise ValueError(f"{name!r} is no field of this file; there are {known}")
        for name in self.required:
            if given.get(name) in (None, "", []):
                raise ValueError(f"the field {name!r} is missing")
        for name, value in given.items():
            if (wrong := _other_than(self.optional.get(name, _NEEDED.get(name, "")), name, value)) is not None:
                raise ValueError(f"the field {name!r} is {wrong}")
        try:
            return self.spell_out({**deepcopy(dict(self.optional)), **given})
        except (TypeError, AttributeError):
            raise ValueError("a field has another type than the reference of the folder says") from None

    def brief(self, content: Content) -> Content:
        """The fields that say more than leaving them out does, in the order of the table."""
        said = (name for name, default in self.optional.items() if name in self.always or content[name] != default)
        return {name: content[name] for name in (*self.required, *said)}


BOT = Kind("bot", "bots", ("name",), {"photo": None, "variables": {}, "opt_out": None}, _bot)
SEGMENT = Kind("segment", "segments", ("name", "filter"))
API_CALL = Kind(
    "api-call",
    "api-calls",
    ("name", "url"),
    {
        "kind": "http",
        "method": "POST",
        "description": None,
        "params": {},
        "headers": {},
        "auth": None,
        "timeout_seconds": 10,
        "response": "envelope",
        "idempotent": False,
        "parameters": {},
        "model": None,
        "max_tokens": 1024,
        "turn_tokens": 50_000,
    },
    always=("method",),
    fixed=("kind",),
)
ENDPOINT = Kind(
    "endpoint",
    "endpoints",
    ("name", "url", "events"),
    {
        "bots": [],
        "filter": None,
        "format": "switchhook",
        "template": None,
        "headers": {},
        "ordered": False,
        "max_in_flight": 16,
        "rate_limit": None,
        "schedule": None,
        "timeout_seconds": 15,
        "title_map": {},
    },
    _endpoint,
)
FLOW = Kind("flow", "flows", ("document",))
TRIGGER = Kind(
    "trigger", "triggers", ("flow", "entry"), {"channel": None, "group": None, "auth": "token", "token": None}
)
KINDS = (BOT, SEGMENT, API_CALL, ENDPOINT, FLOW, TRIGGER)
"""In the order in which they are made: each needs those before it only."""
