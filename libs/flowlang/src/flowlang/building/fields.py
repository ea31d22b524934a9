"""What the fields of nodes and triggers are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from flowlang import clock

NodeId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")]
OptionId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
"""Short and plain: it travels in a button's payload, and a platform allows as little as 64 bytes."""
PAYLOAD_MARK = "~"
"""What taps on options send back begins with it; see flowlang.running.payloads."""
LONGEST_PAYLOAD = 200
"""Characters of a payload that an author gives a button."""
Payload = Annotated[
    str, StringConstraints(min_length=1, max_length=LONGEST_PAYLOAD, pattern=rf"^[^{PAYLOAD_MARK}]")
]  # fmt: skip
"""What a button carries, as it stands in a document."""


def _is_duration(text: str) -> str:
    clock.duration(text)
    return text


Duration = Annotated[str, AfterValidator(_is_duration), Field(json_schema_extra={"format": "duration"})]
"""ISO 8601: PT30S, PT24H, P2D."""


class DocumentModel(BaseModel):
    """A part of a document: an unknown field is refused by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)
