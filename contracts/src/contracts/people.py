"""How a call names a person, and what a profile holds."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from contracts.ids import PEER_ID
from contracts.model import Model

Identifier = Literal["external_id", "phone", "email"]
IDENTIFIERS: tuple[Identifier, ...] = ("external_id", "phone", "email")
"""The profile fields that identify a person, once somebody vouches for them."""
LONGEST_IDENTIFIER = 256
_SPACING = re.compile(r"[\s().\-/]")
_TRUNK_ZERO = re.compile(r"\(0\)")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
"""ITU-T E.164: at most 15 digits, the country's code first. The shortest in use have 7."""


def identifier(kind: Identifier, value: str) -> str | None:
    """The one way in which an identifier is written; None for what is none.

    E-mail addresses in lower case. Phone numbers by E.164, without spacing: `+49 (0)170 12 34 567`, `0049…` and `49…` are
    `+491701234567`; a number without its country's code, `0170…`, is nobody's. External ids as they are.
    """
    if not 0 < len(value) <= LONGEST_IDENTIFIER or not value.isprintable():
        return None
    if kind == "phone":
        return _phone(value)
    return value.strip().lower() or None if kind == "email" else value


def _phone(value: str) -> str | None:
    digits = _SPACING.sub("", _TRUNK_ZERO.sub("", value))
    if digits.startswith("00"):
        digits = digits[2:]
    number = digits if digits.startswith("+") else f"+{digits}"
    return number if number.isascii() and _E164.fullmatch(number) else None


class Person(Model):
    """A person as a caller names one: by exactly one of these fields; `channel_id` may stand beside `peer_id`."""

    contact_id: str | None = None
    """The id of a contact."""
    channel_id: str | None = None
    """The channel that `peer_id` is of, or that the person is to be written to on."""
    peer_id: str | None = None
    """The id that the channel has of the person: a Telegram chat id, for one."""
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


def shortly_named(person: Person) -> Person:
    """The person, whom somebody outside names: the name becomes a record's key and stands in indexes.

    Raises ValueError where it is not short and printable.
    """
    for name in Person.model_fields:
        if (value := getattr(person, name)) and (len(value) > LONGEST_IDENTIFIER or not value.isprintable()):
            raise ValueError(f"person: {name} is a text of 1 to {LONGEST_IDENTIFIER} characters")
    if person.peer_id and not PEER_ID.fullmatch(person.peer_id):
        raise ValueError("person: peer_id has 1 to 128 of A-Z a-z 0-9 . _ : @ + -")
    return person


NamedPerson = Annotated[Person, AfterValidator(shortly_named)]


class Profile(Model):
    """What a channel told about a person with a message; None means "not said", never "cleared"."""

    external_id: str | None = None
    """The person's key in another system, such as the shop."""
    name: str | None = None
    """The whole name."""
    first_name: str | None = None
    """The given name."""
    last_name: str | None = None
    """The family name."""
    username: str | None = None
    """The name on the platform."""
    email: str | None = None
    """An e-mail address."""
    phone: str | None = None
    """A phone number."""
    photo: str | None = None
    """The URL of a picture."""
    birthday: str | None = None
    """A date."""
    city: str | None = None
    """A city."""
    country: str | None = None
    """A country."""
    language: str | None = None
    """A language tag, such as `en`."""
    timezone: str | None = None
    """A time zone, such as `Europe/Berlin`."""


ProfileField = Literal[
    "external_id", "name", "first_name", "last_name", "username", "email", "phone", "photo", "birthday", "city", "country",
    "language", "timezone",
]  # fmt: skip
PROFILE_FIELDS = tuple(Profile.model_fields)
"""What a caller may tell of a person, by name."""


class ContactView(Profile):
    """A contact as events and webhooks show it."""

    id: str
    """The contact's id."""
    variables: dict[str, Any] = Field(default_factory=dict)
    """What flows and programs keep of the person."""
    tags: tuple[str, ...] = ()
    """Labels for people to sort by."""
    flags: tuple[str, ...] = ()
    """Labels for other systems."""
    webhook_titles: tuple[str, ...] = ()
    """Of webhooks about the person, sent by steps of flows, that their receivers took."""
    last_message: str | None = None
    """The last text that the person wrote in this conversation."""
