"""The contact in a turn: changed as a copy, and what changed kept for one patch at the end."""

from __future__ import annotations

from typing import Any

from flowlang.expressions.values import contact_key, json_size
from flowlang.model import Contact, LabelKind, PatchContact
from flowlang.problems import NodeError

CONTACT_LIMIT = 56 * 1024
"""Bytes as JSON."""
LONGEST_PROFILE_TEXT = 1000


class Person:
    """`contact` is as of now; who holds an earlier one keeps it as it was."""

    __slots__ = ("_labels", "_patch", "_size", "contact")

    def __init__(self, contact: Contact) -> None:
        self.contact = contact
        self._patch: dict[str, Any] = {}
        self._labels: dict[tuple[str, str], bool] = {}
        """Put on (True) or taken off."""
        self._size = -1

    def forked(self, contact: Contact) -> Person:
        """The same changes so far, to go on with."""
        person = Person(contact)
        person._patch, person._labels = dict(self._patch), dict(self._labels)
        return person

    def write(self, written: dict[str, Any]) -> None:
        """Set profile fields and variables; None clears. Raises NodeError when there is nobody, or no room."""
        contact = self.someone()
        profile, variables, patch = dict(contact.profile), dict(contact.variables), {}
        for name, value in written.items():
            key = contact_key(name)
            kept = profile if key.startswith("profile.") else variables
            value = _profile_text(name, value) if kept is profile and value is not None else value
            if kept.get(name) != value:
                patch[key] = value
            if value is None:
                kept.pop(name, None)
            else:
                kept[name] = value
        self._become(
            Contact(contact.id, profile, variables, contact.tags, contact.flags, contact.webhook_titles),
            json_size(patch),
        )
        self._patch.update(patch)

    def has(self, kind: LabelKind, label: str) -> bool:
        """Whether the tag or flag is on the person. Raises NodeError when there is nobody."""
        return label in getattr(self.someone(), kind)

    def label(self, kind: LabelKind, label: str, *, put: bool) -> None:
        """Put a tag or flag on, or take it off. Raises NodeError when there is nobody, or no room."""
        old = self.someone()
        labels = [one for one in getattr(old, kind) if one != label] + ([label] if put else [])
        tags, flags = (labels, old.flags) if kind == "tags" else (old.tags, labels)
        self._become(Contact(old.id, old.profile, old.variables, tags, flags, old.webhook_titles), len(label) + 3)
        self._labels[kind, label] = put

    def someone(self) -> Contact:
        """The contact. Raises NodeError when there is nobody."""
        if not self.contact.id:
            raise NodeError("no-person", "a generated URL without a person has nobody to change")
        return self.contact

    def _become(self, contact: Contact, growth: int) -> None:
        if self._size < 0:
            self._size = json_size(self.contact)
        grown = self._size + growth
        if grown > CONTACT_LIMIT and (grown := json_size(contact)) > CONTACT_LIMIT:
            raise NodeError("contact-full", f"a contact has at most {CONTACT_LIMIT} bytes")
        self._size, self.contact = grown, contact

    def patch(self) -> PatchContact | None:
        """What has changed; None when nothing has."""
        if not self._patch and not self._labels:
            return None
        return PatchContact(
            set=self._patch,
            add_tags=self._labelled("tags", put=True),
            remove_tags=self._labelled("tags", put=False),
            add_flags=self._labelled("flags", put=True),
            remove_flags=self._labelled("flags", put=False),
        )

    def _labelled(self, kind: LabelKind, *, put: bool) -> tuple[str, ...]:
        return tuple(label for (of, label), is_put in self._labels.items() if of == kind and is_put is put)


def _profile_text(name: str, value: Any) -> str:
    if isinstance(value, (dict, list)) or len(str(value)) > LONGEST_PROFILE_TEXT:
        raise NodeError("profile", f"{name} is a text of at most {LONGEST_PROFILE_TEXT} characters")
    return str(value)
