"""`time`: a time of day, in one of the author's forms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from flowlang.building.compiler import Compiler
from flowlang.expressions.scopes import Scopes
from flowlang.inputs.base import Answer, Free, Input, Invalid, Reader, text_of
from flowlang.inputs.forms import LONGEST_ANSWER, LONGEST_FORM, MOST_FORMS, Form, forms_of, plain

Clock = Annotated[str, Field(pattern=r"^(?:[01]\d|2[0-3]):[0-5]\d$")]
"""`09:30`, of 24 hours."""


class TimeInput(Input):
    """A time of day. Keeps it as `09:30`, of 24 hours."""

    type: Literal["time"]
    """A time of day; it is kept as `09:30`, of 24 hours."""
    formats: tuple[Annotated[str, Field(min_length=2, max_length=LONGEST_FORM)], ...] = Field(
        default=("HH:mm", "HH.mm", "hh:mm A", "hh A", "hh:mmA", "hhA"), min_length=1, max_length=MOST_FORMS
    )
    """How it may be written: `HH` of 24 hours, or `hh` of 12 with `A` (am or pm), and `mm`; without `mm` it is the full hour."""
    min: Clock | None = None
    """The first time that is taken."""
    max: Clock | None = None
    """The last time that is taken."""
    multiple_of: int | None = Field(default=None, ge=1, le=720)
    """Only times that are a multiple of so many minutes after midnight are taken: 30 for full and half hours."""

    def build(self, compiler: Compiler) -> Reader:
        forms = forms_of(self.formats, "HH hh mm A", "", compiler)
        for index, form in enumerate(forms):
            if ("HH" in form.source) == ("hh" in form.source) or ("hh" in form.source) != ("A" in form.source):
                compiler.problem("format", "a form needs HH, or hh and A", "formats", index)
        if self.min and self.max and self.min > self.max:
            compiler.problem("limits", "`min` is after `max`: nothing would be accepted", "min")
        return _TimeReader(forms, self.min, self.max, self.multiple_of)


@dataclass(frozen=True, slots=True)
class _TimeReader(Free):
    forms: tuple[Form, ...]
    first: str | None
    last: str | None
    multiple_of: int | None

    def read(self, message: dict[str, Any], tapped: str | None, scopes: Scopes) -> Answer:
        text = plain(text_of(message, LONGEST_ANSWER))
        minutes = next((found for form in self.forms if (found := _minutes(form.read(text))) is not None), None)
        if minutes is None:
            raise Invalid("a time is expected")
        shown = f"{minutes // 60:02}:{minutes % 60:02}"
        if (self.first and shown < self.first) or (self.last and shown > self.last):
            raise Invalid("the time is out of range")
        if self.multiple_of and minutes % self.multiple_of:
            raise Invalid(f"a multiple of {self.multiple_of} minutes is expected")
        return Answer(shown)


def _minutes(fields: dict[str, str] | None) -> int | None:
    """After midnight; None for a time that no clock shows."""
    if fields is None:
        return None
    minute = int(fields.get("mm", "0"))
    if "HH" in fields:
        hour = int(fields["HH"])
    else:
        hour, is_late = int(fields["hh"]), fields["A"].lower().startswith("p")
        hour = hour % 12 + 12 * is_late if 1 <= hour <= 12 else 24
    return hour * 60 + minute if hour < 24 and minute < 60 else None
