"""What a caller may say of a contact: the bodies of POST and PATCH, and the change that they ask for."""

from __future__ import annotations

from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.contact_fields import Labels, ProfileFields
from contracts.people import PROFILE_FIELDS
from contracts.sentences import sentence
from flow_engine.state.patches import ESCAPED_NUL, without_nul
from servicekit.web.problems import ProblemError
from servicekit.web.requests import parse_json

M = TypeVar("M", bound=BaseModel)


class ContactFields(ProfileFields):
    """The profile and the variables."""

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
    given = parse_json(body)
    try:
        return model.model_validate(
            without_nul(given) if ESCAPED_NUL in body else given
        )  # Before lengths are looked at.
    except ValidationError as error:
        errors = [{"pointer": _pointer(one["loc"]), "detail": sentence(one)} for one in error.errors()]
        detail = f"{errors[0]['pointer']}: {errors[0]['detail']}"
        raise ProblemError("invalid", 422, "Invalid request", detail, errors=errors) from error


def _pointer(place: tuple[int | str, ...]) -> str:
    return "#" + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in place)


def made(new: NewContact) -> dict[str, Any]:
    """The fields of contracts.inbound.ContactUpdate that make this contact."""
    return fields_changed(new) | {"create": True, "add_tags": new.tags, "add_flags": new.flags}


def changed(change: ContactChange) -> dict[str, Any]:
    """The fields of contracts.inbound.ContactUpdate that make this change."""
    labels = ("add_tags", "remove_tags", "add_flags", "remove_flags")
    return fields_changed(change) | {name: getattr(change, name) for name in labels}


def fields_changed(fields: ContactFields) -> dict[str, Any]:
    """What is set and what is cleared of the profile, and the variables."""
    named = fields.model_fields_set
    said = {name: getattr(fields, name) for name in PROFILE_FIELDS if name in named}
    return {
        "profile": {name: value for name, value in said.items() if value is not None},
        "clear": [name for name, value in said.items() if value is None],
        "variables": fields.variables,
    }
