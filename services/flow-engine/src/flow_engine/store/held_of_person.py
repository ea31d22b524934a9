"""What held events of contacts themselves tell of a person who is erased: under a name, a key of their own, or an import's. Pure.

An import's record has lines of many people: of the person's only number and id stay, as of somebody who is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from contracts.ids import split_conversation_key
from contracts.people import IDENTIFIERS, identifier
from flow_engine.state.work import PersonKept

_STAYS = ("line", "event_id", "digest")


def is_named(given: str, known: PersonKept) -> bool:
    """Whether `field:value`, as in a record's key, means this person."""
    field, _, value = given.partition(":")
    if field == "contact_id":
        return value.lower() in known.contact_ids
    if field == "peer_id":
        return value in {split_conversation_key(key)[2] for key in known.keys}
    return field in IDENTIFIERS and _has(known, field, value)


def without(given: str, value: bytes, known: PersonKept) -> bytes | None:
    """A held record's value without what it tells of the person; None: it is about nobody else. `given`: its own name in its key."""
    if is_named(given, known):
        return None
    body = _object(value)
    if body.get("kind") == "contact_update" and body.get("create") and _tells_of(body, known):
        return None
    lines = body.get("lines") if body.get("kind") == "contact_import" else None
    if not isinstance(lines, list):
        return value
    left = [_nobody(line, known) if _tells_of(line, known) else line for line in lines]
    return value if left == lines else orjson.dumps(body | {"lines": left})


def _nobody(line: Mapping[str, Any], known: PersonKept) -> dict[str, Any]:
    return {name: line[name] for name in _STAYS if name in line} | {"contact_id": known.contact_ids[0]}


def _tells_of(body: Any, known: PersonKept) -> bool:
    if not isinstance(body, dict):
        return False
    profile = body.get("profile") or {}
    named = any(isinstance(given := profile.get(kind), str) and _has(known, kind, given) for kind in IDENTIFIERS)
    return named or str(body.get("contact_id")).lower() in known.contact_ids


def _has(known: PersonKept, kind: Any, given: str) -> bool:
    return (kind, identifier(kind, given)) in known.names


def _object(value: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(value)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
