"""A line of an import of contacts, as records of the inbound topic carry it."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from contracts.model import Model
from contracts.people import Profile, ProfileField


class ImportedContact(Model):
    """A line of an import: a contact that is made, or changed where `contact_id` or the profile's external_id names one.

    `event_id`: under it the line is applied once. `digest` stands for the line where its id follows from the caller's key. The
    other fields are those of ContactUpdate.
    """

    line: int
    event_id: str
    digest: str | None = None
    contact_id: str | None = None
    profile: Profile = Profile()
    variables: dict[str, Any] = Field(default_factory=dict)
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()
    add_flags: tuple[str, ...] = ()
    remove_flags: tuple[str, ...] = ()
    clear: tuple[ProfileField, ...] = ()
