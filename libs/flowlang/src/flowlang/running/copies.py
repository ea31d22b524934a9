"""Copies of what a turn changes. Dicts and lists in them are shared and replaced, never changed."""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter

from flowlang.model import Conversation, Session

_values_of_conversation = attrgetter(*(one.name for one in fields(Conversation)))
_values_of_session = attrgetter(*(one.name for one in fields(Session)))


def copy_conversation(conversation: Conversation) -> Conversation:
    """A conversation that may be changed."""
    return Conversation(*_values_of_conversation(conversation))


def copy_session(session: Session) -> Session:
    """A session that may be changed."""
    return Session(*_values_of_session(session))
