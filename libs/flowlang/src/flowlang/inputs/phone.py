"""`phone`: a phone number of any country, by Google's numbering plans (phonenumbers)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import phonenumbers
from pydantic import Field

from flowlang.building.compiler import Compiler
from flowlang.expressions.scopes import Scopes
from flowlang.inputs.base import Answer, Free, Invalid, Reader, Shared, attachment_of, text_of

LONGEST = 64


class PhoneInput(Shared):
    """A phone number, written or as a shared contact. Keeps it in E.164: `+4930901820`."""

    SHARES: ClassVar = "contact"

    type: Literal["phone"]
    """A phone number of any country, written or as a shared contact; it is kept in E.164: `+4930901820`."""
    region: str | None = Field(default=None, pattern=r"^[A-Z]{2}$")
    """The country (ISO 3166) of a number without `+` and country code; left out: there have to be both."""

    def build(self, compiler: Compiler) -> Reader:
        if self.region is not None and self.region not in phonenumbers.SUPPORTED_REGIONS:
            compiler.problem("region", f"{self.region!r} has no phone numbers: name a country, such as DE", "region")
        return _PhoneReader(self.region)


@dataclass(frozen=True, slots=True)
class _PhoneReader(Free):
    region: str | None

    def read(self, message: dict[str, Any], tapped: str | None, scopes: Scopes) -> Answer:
        shared = attachment_of(message, "contact")
        number = e164(str(shared.get("phone") or ""), None, shared=True) if shared else None
        if number is None:
            number = e164(text_of(message, LONGEST), self.region)
        if number is None:
            raise Invalid("a phone number is expected")
        return Answer(number)


def e164(text: str, region: str | None, *, shared: bool = False) -> str | None:
    """The number as `+` and digits; None when it is none. `shared`: a platform's own, whose `+` may be missing."""
    text = text[:LONGEST]
    if shared and not text.startswith("+"):
        text = f"+{text}"
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if number.extension or not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
