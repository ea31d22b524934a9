"""Finds the conversation of a record that names its person otherwise than by channel and peer, and passes it on.

The record goes back to inbound, keyed by the conversation, with the same event id and reply address.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from contracts import inbound
from contracts.ids import split_conversation_key
from contracts.people import Person
from flow_engine.batch.decoding import Arrived
from flowlang.model import Refused
from servicekit.kafka.records import Outgoing
from servicekit.loop.batches import Connection

Named = tuple[str, str, str]
"""(bot id, field, value)"""

_BY: dict[str, str] = {
    "contact_id": "p.id = u.value::uuid",
    "external_id": "p.external_id = u.value",
    "phone": "p.phone = u.value",
    "email": "p.email = u.value",
}
_FIND = """
SELECT u.bot, u.value, p.id, c.key
  FROM unnest($1::text[], $2::text[]) u(bot, value)
  JOIN contact p ON p.bot_id = u.bot AND {by}
  LEFT JOIN conversation c ON c.contact_id = p.id
 ORDER BY p.id, c.last_user_at DESC NULLS LAST, c.key
"""


@dataclass(slots=True)
class Found:
    """Contacts that answer to a name, each with the keys of its conversations, the last used first."""

    conversations: dict[str, list[str]]


def person_of(arrived: Arrived) -> Person | None:
    """Whom a person-keyed record is about."""
    return getattr(arrived.body, "person", None)


def named(arrived: Arrived) -> Named | None:
    """What to look for; None when the record names nobody that could be looked up."""
    person = person_of(arrived)
    if person is None:
        return None
    field, _, value = person.named().partition(":")
    if field == "contact_id" and not _is_uuid(value):
        return None
    return (arrived.body.bot_id, field, value) if field in _BY else None


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


async def find(connection: Connection, wanted: Sequence[Named]) -> dict[Named, Found]:
    """The contacts that these names mean."""
    found: dict[Named, Found] = {name: Found({}) for name in wanted}
    for field, by in _BY.items():
        names = sorted({name for name in wanted if name[1] == field})
        if not names:
            continue
        statement = _FIND.format(by=by)
        for bot, value, contact, key in await connection.fetch(statement, *_columns(names)):
            keys = found[(bot, field, value)].conversations.setdefault(str(contact), [])
            if key is not None:
                keys.append(key)
    return found


def _columns(names: list[Named]) -> tuple[list[str], list[str]]:
    return [name[0] for name in names], [name[2] for name in names]


def choose(found: Found | None, channel_id: str | None) -> str | Refused:
    """The conversation's key: on that channel if the contact has one there, else where they wrote last."""
    if found is None or not found.conversations:
        return Refused("contact-not-found", 404, "Nobody of this bot answers to that.")
    if len(found.conversations) > 1:
        ids = ", ".join(sorted(found.conversations))
        return Refused("contact-ambiguous", 409, f"More than one contact answers to that: {ids}.")
    (keys,) = found.conversations.values()
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
