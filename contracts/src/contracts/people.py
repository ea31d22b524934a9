"""How a call names a person, and what a profile holds."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from contracts.model import Model


class Person(Model):
    """A person as a caller names one: by exactly one of these fields; `channel_id` may stand beside `peer_id`."""

    contact_id: str | None = None
    channel_id: str | None = None
    peer_id: str | None = None
    external_id: str | None = None
    phone: str | None = None
    email: str | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Person:
        ways = [name for name in ("contact_id", "peer_id", "external_id", "phone", "email") if getattr(self, name)]
        if len(ways) != 1:
            raise ValueError("person: give exactly one of contact_id, peer_id, external_id, phone, email")
        return self

    def named(self) -> str:
        """`field:value`, as it stands in the key of a record whose conversation is not known yet."""
        for name in ("contact_id", "external_id", "phone", "email"):
            if value := getattr(self, name):
                return f"{name}:{value}"
        return f"peer_id:{self.peer_id}"


class Profile(Model):
    """What a channel told about a person with a message; None means "not said", never "cleared"."""

    external_id: str | None = None
    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    username: str | None = None
    email: str | None = None
    phone: str | None = None
    photo: str | None = None
    birthday: str | None = None
    city: str | None = None
    country: str | None = None
    language: str | None = None
    timezone: str | None = None


PROFILE_FIELDS = tuple(Profile.model_fields)
"""What a caller may tell of a person, by name."""


class ContactView(Profile):
    """A contact as events and webhooks show it."""

    id: str
    variables: dict[str, Any] = Field(default_factory=dict)
    tags: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    last_message: str | None = None
