"""Changes of a contact, per attribute: merged over a batch, as SQL takes them, and as events name them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from contracts.people import PROFILE_FIELDS, Profile
from flow_engine.state.json_text import encode
from flow_engine.state.limits import MOST_TITLES, TooLarge, check_contact
from flowlang.model import Contact, PatchContact

ESCAPED_NUL = b"\\u0000"
"""A NUL character as JSON has it, which PostgreSQL does not take."""
COLUMNS = ("external_id", "phone", "email")
"""Profile fields with a column of their own."""


@dataclass(slots=True)
class Patch:
    """Last write per attribute wins; None clears."""

    columns: dict[str, Any] = field(default_factory=dict)
    profile: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, bool] = field(default_factory=dict)
    flags: dict[str, bool] = field(default_factory=dict)

    def add(self, change: PatchContact) -> None:
        """Apply one more change over the ones before."""
        for path, value in change.set.items():
            scope, _, name = path.partition(".")
            target = self.variables if scope == "variables" else self.columns if name in COLUMNS else self.profile
            target[name] = value
        self.tags.update(dict.fromkeys(change.add_tags, True) | dict.fromkeys(change.remove_tags, False))
        self.flags.update(dict.fromkeys(change.add_flags, True) | dict.fromkeys(change.remove_flags, False))

    def encode(self) -> str:
        """The JSON that the UPDATE reads: what is set, what is cleared, by column."""
        body = {
            "columns": self.columns,
            **_split("profile", self.profile),
            **_split("variables", self.variables),
            **_sets("tags", self.tags),
            **_sets("flags", self.flags),
        }
        return dumps({name: value for name, value in body.items() if value})


def _split(name: str, values: dict[str, Any]) -> dict[str, Any]:
    present = {key: value for key, value in values.items() if value is not None}
    return {name: present, f"{name}_cleared": [key for key, value in values.items() if value is None]}


def _sets(name: str, members: dict[str, bool]) -> dict[str, Any]:
    added = [member for member, is_in in members.items() if is_in]
    return {f"{name}_added": added, f"{name}_removed": [member for member, is_in in members.items() if not is_in]}


def profile_change(contact: Contact, said: Profile | dict[str, Any]) -> PatchContact | None:
    """What a channel told about a person that was not known; None when nothing is new. Absent means "not said"."""
    told = said if isinstance(said, dict) else said.__dict__
    known = contact.profile
    new = {
        f"profile.{name}": value for name, value in told.items() if value is not None and known.get(name) != value
    }  # fmt: skip
    return PatchContact(set=new) if new else None


def patched(contact: Contact, change: PatchContact) -> Contact:
    """The contact after a change."""
    profile, variables = dict(contact.profile), dict(contact.variables)
    for path, value in change.set.items():
        scope, _, name = path.partition(".")
        target = variables if scope == "variables" else profile
        if value is None:
            target.pop(name, None)
        else:
            target[name] = value
    return Contact(
        contact.id,
        profile,
        variables,
        members(contact.tags, change.add_tags, change.remove_tags),
        members(contact.flags, change.add_flags, change.remove_flags),
        contact.webhook_titles,
    )


def news(contact: Contact, change: PatchContact) -> PatchContact:
    """What of a change is not so already: only that is saved, counted and told of."""
    known = {"profile": contact.profile, "variables": contact.variables}
    return PatchContact(
        {path: value for path, value in change.set.items() if _is_news(known, path, value)},
        tuple(tag for tag in change.add_tags if tag not in contact.tags),
        tuple(tag for tag in change.remove_tags if tag in contact.tags),
        tuple(flag for flag in change.add_flags if flag not in contact.flags),
        tuple(flag for flag in change.remove_flags if flag in contact.flags),
    )


def _is_news(known: dict[str, dict[str, Any]], path: str, value: Any) -> bool:
    """As JSON: 1 and true are two things."""
    scope, _, name = path.partition(".")
    return encode(known[scope].get(name)) != encode(value)


def is_same(before: Contact, after: Contact) -> bool:
    """Whether nothing of a contact has changed."""
    return _content(before) == _content(after)


def _content(contact: Contact) -> bytes:
    return encode((contact.profile, contact.variables, contact.tags, contact.flags))


def joined(survivor: Contact, merged: Contact) -> Contact:
    """The survivor with what only the other one had; as it was where both together are past a contact's limit."""
    whole = Contact(
        survivor.id,
        merged.profile | survivor.profile,
        merged.variables | survivor.variables,
        members(survivor.tags, merged.tags, ()),
        members(survivor.flags, merged.flags, ()),
        members(survivor.webhook_titles, merged.webhook_titles, ())[:MOST_TITLES],
    )
    try:
        check_contact(whole)
    except TooLarge:
        return survivor
    return whole


def members(present: Iterable[str], added: Iterable[str], removed: Iterable[str]) -> list[str]:
    """Labels after a change, each once and in the order in which they came."""
    gone = set(removed)
    return [member for member in dict.fromkeys((*present, *added)) if member not in gone]


def split_profile(profile: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the columns' part, the rest) of a profile; unknown fields are left out."""
    columns = {name: profile.get(name) for name in COLUMNS}
    return columns, {n: v for n, v in profile.items() if n in PROFILE_FIELDS and n not in COLUMNS and v is not None}


def dumps(value: Any) -> str:
    """JSON that a jsonb column takes: PostgreSQL has no NUL characters, so they are left out."""
    text = encode(value).decode()
    return encode(without_nul(value)).decode() if "\\u0000" in text else text


def without_nul(value: Any) -> Any:
    """The same value with NUL characters taken out of its texts and keys."""
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, dict):
        return {without_nul(key): without_nul(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nul(item) for item in value]
    return value
