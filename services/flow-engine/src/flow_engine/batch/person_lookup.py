"""Whose conversation a person-keyed record is for: which name it looks for, which conversation it takes, how it gets there.

The record goes back to inbound, keyed by the conversation, with the same event id and reply address.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from contracts import inbound
from contracts.ids import NOBODY, split_conversation_key
from contracts.people import IDENTIFIERS, Person, identifier
from flow_engine.state.ids import as_uuid
from flow_engine.state.work import Erased
from flow_engine.store.port import EVENT, Conversations, Name
from flow_engine.turn.event import Arrived
from flow_engine.turn.people import verified
from flowlang.model import Refused
from servicekit.kafka.records import Outgoing

_NOBODY = (
    "Nobody of this bot is known by that: an external_id, phone (with its country's code) or email counts once it is "
    "verified, by the platform or by a token that may write data."
)
_ELSEWHERE = "This contact has conversations with the bot, but none on the channel that this has to go to."


def named(arrived: Arrived) -> Name | None:
    """What to look for; None when the record names nobody that could be looked up."""
    person: Person | None = getattr(arrived.body, "person", None)
    if person is None:
        return None
    if person.contact_id is not None:
        id = as_id(person.contact_id)
        return Name(arrived.body.bot_id, "contact_id", id) if id else None
    for kind in IDENTIFIERS:
        if (given := getattr(person, kind)) and (value := identifier(kind, given)):
            return Name(arrived.body.bot_id, kind, value)
    return None


def told(arrived: Arrived) -> list[Name]:
    """What a record that may make a contact tells of who it is; of a conversation's person only what somebody vouches for."""
    kinds = IDENTIFIERS if arrived.body.kind == "contact_update" else arrived.body.verified
    return [Name(arrived.body.bot_id, *one) for one in verified(arrived.body.profile, kinds)]


def as_event(arrived: Arrived) -> Name:
    """By which a request is known that made or changed a contact, once the contact is erased."""
    return Name(arrived.body.bot_id, EVENT, as_uuid(arrived.event_id))


def makes_anew(arrived: Arrived, erased: Mapping[Name, Erased]) -> bool:
    """Whether it would make somebody again who was erased since it was received."""
    return any(is_older(arrived, name, erased) for name in told(arrived))


def is_older(arrived: Arrived, name: Name, erased: Mapping[Name, Erased]) -> bool:
    """Whether it was received before somebody of that name was erased."""
    return name in erased and str(arrived.body.received_at) < erased[name].before


def is_of_contact(arrived: Arrived) -> bool:
    """Whether it changes or makes a contact itself."""
    return arrived.body.kind == "contact_update" and arrived.body.channel_id == NOBODY and not arrived.person_keyed


def goes_to_contact(arrived: Arrived, found: Conversations | None) -> bool:
    """Whether a change of a contact who is named goes to the contact itself, and to no conversation: there is none, or it is a
    merge, which no flow takes part in."""
    is_change = arrived.person_keyed and arrived.body.kind == "contact_update"
    return is_change and found is not None and (not found or arrived.body.merge is not None)


def as_id(text: str) -> str | None:
    """The id of a contact; None for what is none."""
    try:
        return str(UUID(text))
    except ValueError:
        return None


def choose(found: Conversations | None, channel_id: str | None) -> str | Refused:
    """The conversation's key: the last used one, on that channel and no other if one is given."""
    if found is None:
        return Refused("contact-not-found", 404, _NOBODY)
    if not found:
        return Refused("contact-not-found", 404, "This contact has no conversation with the bot.")
    return on_channel(found, channel_id)


def on_channel(found: Conversations, channel_id: str | None) -> str | Refused:
    """The first of these conversations, or the first on that channel."""
    there = [key for key in found if channel_id is None or split_conversation_key(key)[1] == channel_id]
    if not there:
        return Refused("peer-not-reachable", 409, _ELSEWHERE, "not-on-channel")
    return there[0]


def to_contact(arrived: Arrived, contact_id: str) -> Outgoing:
    """The same event, for the contact itself."""
    return passed_on(arrived, f"{arrived.body.bot_id}/{NOBODY}/{contact_id}", {"person": None})


def forwarded(arrived: Arrived, key: str, channel_type: str | None) -> Outgoing:
    """The same event, for that conversation."""
    _, channel_id, peer_id = split_conversation_key(key)
    changed: dict[str, Any] = {
        "channel_id": channel_id,
        "peer_id": peer_id,
        "channel_type": channel_type,
        "person": None,
    }
    return passed_on(arrived, key, changed)


def passed_on(arrived: Arrived, key: str, changed: dict[str, Any]) -> Outgoing:
    """The same event under another key, with these fields changed."""
    body = arrived.body.model_copy(update=changed)
    headers = [
        (name, value) for name, value in arrived.record.headers if value is not None and not name.startswith("src-")
    ]  # fmt: skip
    return Outgoing(inbound.TOPIC.name, key.encode(), body.encode(), headers)
