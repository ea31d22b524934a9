"""Sizes that are checked before anything is committed: past one of them the turn fails.

Unchecked, a record that Kafka refuses would be committed in the outbox, and hold its partition for ever.
"""

from __future__ import annotations

from contracts.actions import ACTION_LIMIT
from flow_engine.state import json_text, stored_state
from flowlang.model import Contact, Conversation

STATE_LIMIT = 64 * 1024
CONTACT_LIMIT = 64 * 1024
HEADERS_SIZE = 2048
"""More than the headers of a record take, bytes."""
VALUE_LIMIT = ACTION_LIMIT - HEADERS_SIZE
"""Bytes of an action's or event's value."""
TURN_LIMIT = 2 * 1024 * 1024
"""Bytes of values that one turn writes."""
MOST_EFFECTS = 64
"""Effects of one turn."""


class TooLarge(Exception):
    """Something past its limit: the turn that made it fails."""


def check_contact(contact: Contact) -> None:
    """Raises TooLarge."""
    held = (contact.profile, contact.variables, contact.tags, contact.flags)
    size = len(json_text.encode(held))
    if size > CONTACT_LIMIT:
        raise TooLarge(f"the contact would have {size} bytes, more than {CONTACT_LIMIT}")


def encoded_state(conversation: Conversation, now: str) -> bytes:
    """The conversation as its row holds it, last touched `now`. Raises TooLarge."""
    conversation.last_at = now
    encoded = stored_state.encode(conversation)
    if len(encoded) > STATE_LIMIT:
        raise TooLarge(f"the conversation's state would have {len(encoded)} bytes, more than {STATE_LIMIT}")
    return encoded
