"""Conversations as they are stored: JSON, without what is at its default. No validation: only `encode` writes it."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

import orjson

from flowlang.model import Conversation, Frame, Session, Wait


def _defaults(model: type) -> dict[str, Any]:
    """Field name to its default, `MISSING` where it has none."""
    return {
        one.name: one.default_factory() if one.default_factory is not MISSING else one.default for one in fields(model)
    }


_CONVERSATION = {name: value for name, value in _defaults(Conversation).items() if name != "unfinished"}
_SESSION = _defaults(Session)
_WAIT = _defaults(Wait)
_FRAME = _defaults(Frame)


def _packed(value: Any, defaults: dict[str, Any]) -> dict[str, Any]:
    packed = {}
    for name, default in defaults.items():
        found = getattr(value, name)
        if found != default:
            packed[name] = found
    return packed


def _packed_session(session: Session) -> dict[str, Any]:
    packed = _packed(session, _SESSION)
    if session.wait is not None:
        packed["wait"] = _packed(session.wait, _WAIT)
    if session.frames:
        packed["frames"] = [_packed(frame, _FRAME) for frame in session.frames]
    return packed


def to_dict(conversation: Conversation) -> dict[str, Any]:
    """The conversation as JSON data. Raises ValueError in the middle of a turn."""
    if conversation.unfinished is not None:
        raise ValueError("an unfinished turn is not stored: run its code first")
    packed = _packed(conversation, _CONVERSATION)
    if conversation.session is not None:
        packed["session"] = _packed_session(conversation.session)
    if conversation.stack:
        packed["stack"] = [_packed_session(session) for session in conversation.stack]
    return packed


def from_dict(data: dict[str, Any]) -> Conversation:
    """The conversation that `to_dict` gave; fields that this version does not know are left out."""
    known: dict[str, Any] = {name: value for name, value in data.items() if name in _CONVERSATION}
    if known.get("session") is not None:
        known["session"] = _session(known["session"])
    if "stack" in known:
        known["stack"] = [_session(session) for session in known["stack"]]
    return Conversation(**known)


def _session(data: dict[str, Any]) -> Session:
    known: dict[str, Any] = {name: value for name, value in data.items() if name in _SESSION}
    if known.get("wait") is not None:
        known["wait"] = Wait(**{name: value for name, value in known["wait"].items() if name in _WAIT})
    if "frames" in known:
        known["frames"] = [
            Frame(**{name: value for name, value in frame.items() if name in _FRAME}) for frame in known["frames"]
        ]
    return Session(**known)


def encode(conversation: Conversation) -> bytes:
    """The conversation as bytes of JSON."""
    return orjson.dumps(to_dict(conversation))


def decode(stored: bytes | str) -> Conversation:
    """The conversation that `encode` gave."""
    return from_dict(orjson.loads(stored))
