"""Who is in the middle of a flow goes on in another version of it, by the ids of its nodes. Pure.

All places of a conversation that are in the flow move, or none: the session's, those of sessions that it interrupted, and
the nodes of the flow that have called others (frames). What waits keeps waiting: its token and so its timer, the moment when the
session expires, the memory, what is queued. So an answer to a question, or a call in flight, finds its node in the new version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import msgspec
from pydantic import ValidationError

from flowlang.graph import Graph
from flowlang.model import Conversation, Session
from flowlang.nodes.base import NodeModel
from flowlang.nodes.registry import NODE_TYPES
from flowlang.problems import FlowInvalid
from flowlang.running.copies import copy_conversation, copy_session

REASONS = {
    "node-gone": "the version has no node of this id",
    "other-type": "the node of this id is of another type",
    "other-answer": "the question asks for another kind of answer",
    "other-options": "the options or buttons that the person was shown are not there, or in another order",
    "other-event": "the node waits for another event",
    "other-call": "the node calls another API or flow, and the answer is on its way",
    "node-invalid": "the node cannot be read by this release",
    "version-gone": "the version that the conversation stands on was deleted, or cannot be read by this release",
    "not-published": "another version was published meanwhile",
}
"""Why a conversation stays on its version."""

LookUp = Callable[[str, int], Graph | None]
"""(flow id, version) -> the version; None: it is gone for ever. May raise FlowInvalid: this release does not run it."""


class Place(NamedTuple):
    """Where a conversation is in a flow."""

    version: int
    node: str


class Moved(NamedTuple):
    """The conversation after it, and where it was: the place where it waits comes first."""

    conversation: Conversation
    place: Place


class Stays(NamedTuple):
    """The place that does not fit, and why: one of REASONS."""

    place: Place
    reason: str


def moved(conversation: Conversation, to: Graph, look_up: LookUp) -> Moved | Stays | None:
    """What becomes of it; None: it is nowhere in another version of the flow."""
    places = list(_places(conversation, to))
    for place in places:
        if reason := why_not(to, place, look_up):
            return Stays(place, reason)
    return Moved(_moved(conversation, to, look_up), places[0]) if places else None


def _places(conversation: Conversation, to: Graph) -> Iterator[Place]:
    sessions = ([conversation.session] if conversation.session else []) + conversation.stack[::-1]
    for session in sessions:
        if _is_before(session, to):
            yield Place(session.flow_version, session.wait.node if session.wait else "")
        yield from (Place(frame.flow_version, frame.node) for frame in session.frames[::-1] if _is_before(frame, to))


def _is_before(place: Any, to: Graph) -> bool:
    """Whether a session or frame is in another version of the flow."""
    return bool(place.flow_id == to.flow_id and place.flow_version != to.version)


def why_not(to: Graph, place: Place, look_up: LookUp) -> str | None:
    """Why nobody who waits at this place can wait at the node of this id in `to`; None: they can."""
    try:
        before = look_up(to.flow_id, place.version)
    except FlowInvalid:
        before = None
    if before is None:
        return "version-gone"
    old, new = before.nodes.source(place.node), to.nodes.source(place.node)
    if old is None or new is None:
        return "node-gone"
    try:
        older, newer = _model(old), _model(new)
    except (ValidationError, msgspec.DecodeError, KeyError):
        return "node-invalid"
    return older.lost_in(newer) if type(older) is type(newer) else "other-type"


def _model(source: bytes) -> NodeModel:
    node = msgspec.json.decode(source)
    return NODE_TYPES[node["type"]].model_validate(node)


def _moved(conversation: Conversation, to: Graph, look_up: LookUp) -> Conversation:
    made = copy_conversation(conversation)
    if conversation.session is not None:
        made.session = _session(conversation.session, to)
    made.stack = [_session(session, to) for session in conversation.stack]
    made.taps = {seq: _tap(tap, to, look_up) for seq, tap in conversation.taps.items()}
    return made


def _session(session: Session, to: Graph) -> Session:
    made = copy_session(session)
    if _is_before(session, to):
        made.flow_version = to.version
    made.frames = [
        replace(frame, flow_version=to.version) if _is_before(frame, to) else frame for frame in session.frames
    ]
    return made


def _tap(tap: dict[str, Any], to: Graph, look_up: LookUp) -> dict[str, Any]:
    """Where buttons of an earlier message lead: into the new version too, unless it has not all of them."""
    place = Place(tap["flow_version"], tap["node"])
    if tap["flow_id"] != to.flow_id or place.version == to.version or why_not(to, place, look_up):
        return tap
    return {**tap, "flow_version": to.version}
