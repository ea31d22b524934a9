"""What a filter may ask of a contact. The names are those of the data API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from contracts.people import PROFILE_FIELDS
from flowlang.cel.values import LONGEST_LIST
from flowlang.model import Contact

Kind = Literal["text", "labels", "variables", "time", "channels"]
FIELDS: Mapping[str, Kind] = {
    "id": "text",
    "bot_id": "text",
    **dict.fromkeys(PROFILE_FIELDS, "text"),
    "variables": "variables",
    "tags": "labels",
    "flags": "labels",
    "webhook_titles": "labels",
    "created_at": "time",
    "last_seen_at": "time",
    "channels": "channels",
}
"""Name -> what it holds. `channels`: objects {channel_id, peer_id, state, last_user_message_at?}, the last used first."""
OF_CONVERSATIONS = frozenset(("last_seen_at", "channels"))
"""What is known of a contact's conversations alone."""
IN_TURNS = frozenset(FIELDS) - OF_CONVERSATIONS - {"created_at"}
"""What a turn knows of its contact."""


class TooLarge:
    """Stands for a list or object of more items than an expression may see: equal to nothing, without order or members."""

    __slots__ = ()


TOO_LARGE = TooLarge()


def of_contact(contact: Contact, bot_id: str) -> dict[str, Any]:
    """The fields of IN_TURNS. What is not known of the person is not there."""
    return {
        "id": contact.id,
        "bot_id": bot_id,
        **{name: value for name, value in contact.profile.items() if name in PROFILE_FIELDS and value is not None},
        "variables": contact.variables,
        "tags": contact.tags,
        "flags": contact.flags,
        "webhook_titles": contact.webhook_titles,
    }


def fitting(value: Any) -> Any:
    """The value, or TOO_LARGE in its place."""
    return TOO_LARGE if isinstance(value, (list, dict)) and len(value) > LONGEST_LIST else value
