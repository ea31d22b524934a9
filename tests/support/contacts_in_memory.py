"""The contacts of the twin of PostgresConversations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from flow_engine.errors import StaleContact
from flow_engine.state.patches import joined
from flow_engine.state.rows import Identity
from flow_engine.state.work import Work
from flow_engine.store.contacts import ContactRow, new_rows, patch_rows
from flow_engine.store.port import Name, OwnContact
from flowlang.model import Contact


@dataclass
class ContactsInMemory:
    """What store.contacts and store.identities keep."""

    contacts: dict[str, tuple[str, Contact]] = field(default_factory=dict)
    """(bot id, contact) by contact id."""
    versions: Counter[str] = field(default_factory=Counter)
    """By contact id, without the first."""
    identities: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """(bot id, kind, value) -> contact id."""
    merged: dict[str, str] = field(default_factory=dict)
    """Contacts that turned out to be another one."""

    def refuse_stale_contacts(self, work: Work) -> None:
        """Raises StaleContact where a contact is not as it was read."""
        if work.patches.keys() & self.merged.keys():
            raise StaleContact("a contact was merged")
        if {*work.merges, *work.merges.values()} & self.merged.keys():
            raise StaleContact("a contact was merged")
        if not work.adopted <= self.contacts.keys() | work.new_contacts.keys():
            raise StaleContact("a contact was erased")
        if any(self.versions[id] + 1 != wanted for id, wanted in work.if_versions.items()):
            raise StaleContact("a contact was changed")

    def own_contacts(self, ids: Sequence[tuple[str, str]]) -> dict[str, OwnContact]:
        """By id as given, for each (bot id, contact id) that there is."""
        found = {id: self.contact_id(Name(bot_id, "contact_id", id)) for bot_id, id in ids}
        return {
            asked: OwnContact(self.contacts[id][1], self.versions[id] + 1)
            for asked, id in found.items()
            if id is not None
        }

    def forget_contacts(self, ids: set[str]) -> None:
        """These are erased."""
        self.contacts = {id: known for id, known in self.contacts.items() if id not in ids}
        self.identities = {name: of for name, of in self.identities.items() if of not in ids}
        self.merged = {id: into for id, into in self.merged.items() if id not in ids}

    def contact_id(self, name: Name) -> str | None:
        """Whom a name means."""
        id = name.value if name.field == "contact_id" else self.identities.get(name, "")
        bot_id, _ = self.contacts.get(id, ("", None))
        return self.merged.get(id, id) if bot_id == name.bot_id else None

    def save_contacts(self, work: Work) -> None:
        """Those of a batch."""
        for new in new_rows(work):
            self.contacts[new.id] = (new.bot_id, _contact(new))
        for identity in work.verified:
            self._verify(identity)
        for id, patch, _ in (row for rows in patch_rows(work, self.merged) for row in rows):
            if id in self.contacts:
                self.versions[id] += 1
                bot_id, contact = self.contacts[id]
                self.contacts[id] = (bot_id, _patched(contact, orjson.loads(patch)))

        for gone, survivor in work.merges.items():
            self._merge(gone, survivor)

    def _verify(self, identity: Identity) -> None:
        """What store.identities does."""
        *name, told_of = identity
        id, key = self.merged.get(told_of, told_of), (name[0], name[1], name[2])
        if id not in self.contacts:
            return
        holder = self.identities.get(key, id)
        own = [one for one, of in self.identities.items() if of == id and one[1] == identity.kind]
        if identity.kind == "external_id" and holder != id and not own:
            self._merge(id, holder)
            return
        for one in own:
            del self.identities[one]
        if identity.value:
            self.identities[key] = id

    def _merge(self, id: str, into: str) -> None:
        bot_id, survivor = self.contacts[into]
        self.versions[into] += 1
        self.contacts[into] = (bot_id, joined(survivor, self.contacts[id][1]))
        self.merged = {one: into if of == id else of for one, of in self.merged.items()} | {id: into}
        self.identities = {name: into if of == id else of for name, of in self.identities.items()}


def _contact(row: ContactRow) -> Contact:
    columns = {"external_id": row.external_id, "phone": row.phone, "email": row.email}
    profile = orjson.loads(row.profile) | {name: value for name, value in columns.items() if value is not None}
    return Contact(row.id, profile, orjson.loads(row.variables), orjson.loads(row.tags), orjson.loads(row.flags))


def _patched(contact: Contact, patch: dict[str, Any]) -> Contact:
    """What the UPDATE of store.contacts does."""
    columns: dict[str, Any] = patch.get("columns", {})
    cleared = [*patch.get("profile_cleared", []), *(name for name, value in columns.items() if value is None)]
    present = {name: value for name, value in columns.items() if value is not None}
    return Contact(
        contact.id,
        _without(contact.profile | patch.get("profile", {}) | present, cleared),
        _without(contact.variables | patch.get("variables", {}), patch.get("variables_cleared", [])),
        _members(contact.tags, patch, "tags"),
        _members(contact.flags, patch, "flags"),
        contact.webhook_titles,
    )


def _without(values: dict[str, Any], names: list[str]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


def _members(present: list[str], patch: dict[str, Any], name: str) -> list[str]:
    removed = patch.get(f"{name}_removed", [])
    return [one for one in dict.fromkeys([*present, *patch.get(f"{name}_added", [])]) if one not in removed]
