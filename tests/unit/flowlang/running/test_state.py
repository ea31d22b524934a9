"""The stored form of a conversation, its size and its speed."""

from __future__ import annotations

from dataclasses import fields

import orjson
import pytest

from flowlang.model import Conversation, Session, Wait
from flowlang.running import state


def conversation() -> Conversation:
    return Conversation("b/c/1", "p", "b", "c", "telegram", "1", "k1")


def full() -> Conversation:
    wait = Wait("t1", "answer", "ask", "2026-01-01T00:00:00Z", {"a": [1]})
    session = Session("f", 3, "e1", "e2", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", {"m": {"x": 1}}, wait, 2)
    session.quick_replies, session.said, session.since_seq, session.error = (
        ["q"],
        "text",
        4,
        {"type": "t", "detail": "d"},
    )
    made = conversation()
    made.session, made.stack = session, [Session("g", 1, "e0", "e0", "x", "y", {}, Wait("t0", "call", "n"))]
    made.version, made.next_seq, made.reachable, made.talked = 7, 9, "subscribed", True
    made.opted_out = made.sharing = True
    made.queued, made.taps = [{"id": "e", "kind": "message", "data": {"text": "x"}}], {"3": {"node": "n"}}
    return made


def test_it_comes_back_as_it_was() -> None:
    for made in (conversation(), full()):
        assert state.decode(state.encode(made)) == made


def test_a_resting_conversation_is_small() -> None:
    assert len(state.encode(conversation())) < 150


def test_fields_of_a_newer_writer_are_left_out() -> None:
    data = state.to_dict(full())
    data["session"]["wait"]["newer"] = data["session"]["newer"] = data["newer"] = 1
    assert state.decode(orjson.dumps(data)) == full()


def test_every_field_is_stored_but_what_lives_in_a_turn() -> None:
    stored = state.to_dict(full())
    missing = {one.name for one in fields(Conversation)} - stored.keys()
    owners = {"owner", "owner_epoch", "owner_name", "owner_since", "presence", "queue", "queue_timer", "unread"}
    assert missing == {"unfinished", "chat", "last_message", "thread", "last_at"} | owners


def test_an_unfinished_turn_is_not_stored() -> None:
    made = conversation()
    made.unfinished = object()
    with pytest.raises(ValueError, match="unfinished"):
        state.encode(made)
