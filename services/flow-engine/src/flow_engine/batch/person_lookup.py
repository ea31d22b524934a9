"""Whose conversation a person-keyed record is for: which name it looks for, which conversation it takes, how it gets there.

The record goes back to inbound, keyed by the conversation, with the same event id and reply address.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from contracts import inbound
from contracts.ids import split_conversation_key
from contracts.people import Person
from flow_engine.store.port import ConversationsOf, Name
from flow_engine.turn.event import Arrived
from flowlang.model import Refused
from servicekit.kafka.records import Outgoing

_FIELDS = frozenset({"contact_id", "external_id", "phone", "email"})


def named(arrived: Arrived) -> Name | None:
    """What to look for; None when the record names nobody that could be looked up."""
    person: Person | None = getattr(arrived.body, "person", None)
    if person is None:
        return None
    field, _, value = person.named().partition(":")
    if field == "contact_id" and not _is_uuid(value):
        return None
    return Name(arrived.body.bot_id, field, value) if field in _FIELDS else None


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def choose(found: ConversationsOf | None, channel_id: str | None) -> str | Refused:
    """The conversation's key: on that channel if the contact has one there, else where they wrote last."""
    if not found:
        return Refused("contact-not-found", 404, "Nobody of this bot answers to that.")
    if len(found) > 1:
        ids = ", ".join(sorted(found))
        return Refused("contact-ambiguous", 409, f"More than one contact answers to that: {ids}.")
    (keys,) = found.values()
    if not keys:
        return Refused("contact-not-found", 404, "This contact has no conversation with the bot.")
    return next((key for key in keys if split_conversation_key(key)[1] == channel_id), keys[0])


def forwarded(arrived: Arrived, key: str, channel_type: str | None) -> Outgoing:
    """The same event, for that conversation."""
    _, channel_id, peer_id = split_conversation_key(key)
    changed: dict[str, Any] = {
        "channel_id": channel_id,
        "peer_id": peer_id,
        "channel_type": channel_type,
        "person": None,
    }
    body = arrived.body.model_copy(update=changed)
    headers = [
        (name, value) for name, value in arrived.record.headers if value is not None and not name.startswith("src-")
    ]  # fmt: skip
    return Outgoing(inbound.TOPIC.name, key.encode(), body.encode(), headers)
