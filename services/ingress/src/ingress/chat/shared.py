"""Files, places and contacts that a person sends in a chat of ours, as the attachments of an inbound message.

A file stays where it is: its URL travels, and nobody here fetches it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from contracts.sentences import sentence
from contracts.web_url import WebUrl
from ingress.wire.problems import invalid

MOST_ATTACHMENTS = 10
LONGEST_WORD = 1024


class _Shared(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class SharedFile(_Shared):
    """A picture, video, recording or other file, by its URL."""

    type: Literal["image", "video", "audio", "file"]
    """What it is."""
    url: WebUrl
    """Where it is; it is not fetched here."""
    name: str | None = Field(default=None, max_length=LONGEST_WORD)
    """What it is called."""
    mime: str | None = Field(default=None, max_length=127)
    """Its MIME type."""
    size: int | None = Field(default=None, ge=0, le=2**53)
    """Its bytes."""
    duration: float | None = Field(default=None, ge=0)
    """Of a video or recording: its seconds."""


class SharedLocation(_Shared):
    """A place on earth."""

    type: Literal["location"]
    """What it is."""
    latitude: float = Field(ge=-90, le=90)
    """Degrees north."""
    longitude: float = Field(ge=-180, le=180)
    """Degrees east."""
    name: str | None = Field(default=None, max_length=LONGEST_WORD)
    """What is there."""
    address: str | None = Field(default=None, max_length=LONGEST_WORD)
    """Where that is, in words."""


class SharedContact(_Shared):
    """Somebody's contact. Nobody vouches for it."""

    type: Literal["contact"]
    """What it is."""
    phone: str = Field(min_length=1, max_length=64)
    """The phone number."""
    first_name: str | None = Field(default=None, max_length=LONGEST_WORD)
    """The first name."""
    last_name: str | None = Field(default=None, max_length=LONGEST_WORD)
    """The last name."""


Shared = Annotated[SharedFile | SharedLocation | SharedContact, Field(discriminator="type")]
_ADAPTER: TypeAdapter[list[Any]] = TypeAdapter(
    Annotated[list[Shared], Field(min_length=1, max_length=MOST_ATTACHMENTS)]
)
OF_TYPE: dict[str, type[BaseModel]] = {"media": SharedFile, "location": SharedLocation, "contact": SharedContact}
"""By the `type` of a message: what it brings. Of places and contacts, one."""


def shared_of(kind: str, given: Any) -> tuple[dict[str, Any], ...]:
    """The attachments of a message of that type. Raises ProblemError 422 with the place of what is wrong."""
    try:
        found = _ADAPTER.validate_python(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = [part for index, part in enumerate(first["loc"]) if index != 1]  # The second names the type.
        raise invalid("/".join(("/attachments", *map(str, place))), sentence(first)) from error
    if any(not isinstance(one, OF_TYPE[kind]) for one in found) or (kind != "media" and len(found) > 1):
        count = "files: image, video, audio or file" if kind == "media" else f"one attachment of type {kind}"
        raise invalid("/attachments", f"A message of type {kind} has {count}.")
    return tuple(one.model_dump(exclude_none=True) for one in found)
