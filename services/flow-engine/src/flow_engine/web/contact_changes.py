"""What a caller may say of a contact: the bodies of POST and PATCH, and the change that they ask for."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, TypeVar
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from contracts.people import PROFILE_FIELDS, Identifier, identifier
from contracts.sentences import sentence
from servicekit.web.problems import ProblemError
from servicekit.web.requests import parse_json

LONGEST_FIELD, LONGEST_LABEL, MOST_LABELS = 1024, 256, 200
M = TypeVar("M", bound=BaseModel)


def _identifier(kind: Identifier, what: str) -> AfterValidator:
    def check(value: str) -> str:
        if identifier(kind, value) is None or (kind == "email" and "@" not in value):
            raise ValueError(what)
        return value

    return AfterValidator(check)


def _date(value: str) -> str:
    date.fromisoformat(value)
    return value


def _timezone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("a time zone by its name, such as Europe/Riga")
    return value


Text = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_FIELD)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_LABEL)]
Labels = Annotated[tuple[Label, ...], Field(max_length=MOST_LABELS)]


class ContactFields(BaseModel):
    """The profile."""

    model_config = ConfigDict(extra="forbid")

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
    photo: Text | None = None
    """The URL of a picture."""
    birthday: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\d$"), AfterValidator(_date)] | None = None
    """A date, such as 1990-05-17."""
    city: Text | None = None
    country: Text | None = None
    language: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", max_length=35)] | None
    ) = None
    """A language tag, such as en or pt-BR."""
    timezone: Annotated[Text, AfterValidator(_timezone)] | None = None
    """A time zone, such as Europe/Riga."""
    variables: dict[str, Any] = Field(default_factory=dict)
    """What flows and programs keep of the person."""


class NewContact(ContactFields):
    """A person whom the bot has not met."""

    bot: str | None = None
    """Whose contact, by the bot's id; may be left out where the project has one bot."""
    tags: Labels = ()
    """Labels for people to sort by."""
    flags: Labels = ()
    """Labels for other systems."""


class ContactChange(ContactFields):
    """What is left out stays, what is null is cleared."""

    add_tags: Labels = ()
    """Tags to add."""
    remove_tags: Labels = ()
    """Tags to take away."""
    add_flags: Labels = ()
    """Flags to add."""
    remove_flags: Labels = ()
    """Flags to take away."""


class Merge(BaseModel):
    """Which contact turned out to be this one."""

    model_config = ConfigDict(extra="forbid")

    contact: UUID
    """The other contact, by its id: this one from then on."""


def read(body: bytes, model: type[M]) -> M:
    """Raises ProblemError 400 or 422."""
    try:
        return model.model_validate(parse_json(body))
    except ValidationError as error:
        errors = [{"pointer": _pointer(one["loc"]), "detail": sentence(one)} for one in error.errors()]
        detail = f"{errors[0]['pointer']}: {errors[0]['detail']}"
        raise ProblemError("invalid", 422, "Invalid request", detail, errors=errors) from error


def _pointer(place: tuple[int | str, ...]) -> str:
    return "#" + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in place)


def made(new: NewContact) -> dict[str, Any]:
    """The fields of contracts.inbound.ContactUpdate that make this contact."""
    return _change(new) | {"create": True, "add_tags": new.tags, "add_flags": new.flags}


def changed(change: ContactChange) -> dict[str, Any]:
    """The fields of contracts.inbound.ContactUpdate that make this change."""
    labels = ("add_tags", "remove_tags", "add_flags", "remove_flags")
    return _change(change) | {name: getattr(change, name) for name in labels}


def _change(fields: ContactFields) -> dict[str, Any]:
    said = {name: getattr(fields, name) for name in PROFILE_FIELDS if name in fields.model_fields_set}
    return {
        "profile": {name: value for name, value in said.items() if value is not None},
        "clear": [name for name, value in said.items() if value is None],
        "variables": fields.variables,
    }
