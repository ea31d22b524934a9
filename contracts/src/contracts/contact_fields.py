"""What another program may say of a contact, field by field, over HTTP and Kafka alike."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from contracts.people import Identifier, identifier
from contracts.time_zones import checked_time_zone

LONGEST_FIELD, LONGEST_LABEL, MOST_LABELS = 1024, 256, 63
"""Characters of a field and of a tag or flag; how many of these one call names at most, since each is told of by an event."""


def _identifier(kind: Identifier, what: str) -> AfterValidator:
    def check(value: str) -> str:
        if identifier(kind, value) is None or (kind == "email" and "@" not in value):
            raise ValueError(what)
        return value

    return AfterValidator(check)


def _date(value: str) -> str:
    date.fromisoformat(value)
    return value


def _link(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme.lower() not in ("http", "https") or not parts.netloc:
        raise ValueError("a URL that begins with https:// or http://")
    return value


Text = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_FIELD)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_LABEL)]
Labels = Annotated[tuple[Label, ...], Field(max_length=MOST_LABELS)]


class ProfileFields(BaseModel):
    """The profile of a contact. Over HTTP and in an import null clears a field."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    external_id: Annotated[Text, _identifier("external_id", "1 to 256 printable characters")] | None = None
    """The person's key in another system; no other contact of the bot has it."""
    name: Text | None = None
    """The whole name."""
    first_name: Text | None = None
    last_name: Text | None = None
    username: Text | None = None
    email: Annotated[Text, _identifier("email", "an e-mail address")] | None = None
    phone: Annotated[Text, _identifier("phone", "a number with its country's code, such as +49 170 1234567")] | None = (
        None
    )
    photo: Annotated[Text, AfterValidator(_link)] | None = None
    """The URL of a picture."""
    birthday: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\d$"), AfterValidator(_date)] | None = None
    """A date, such as 1990-05-17."""
    city: Text | None = None
    country: Text | None = None
    language: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", max_length=35)] | None
    ) = None
    """A language tag, such as en or pt-BR."""
    timezone: Annotated[Text, AfterValidator(checked_time_zone)] | None = None
    """A time zone, such as Europe/Riga."""
