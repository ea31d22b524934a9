"""`email`: an e-mail address, by email-validator's rules of form; whether it exists is not asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import email_validator

from flowlang.building.compiler import Compiler
from flowlang.expressions.scopes import Scopes
from flowlang.inputs.base import Answer, Free, Input, Invalid, Reader, text_of

LONGEST = 254
"""Characters of an address (RFC 5321)."""


class EmailInput(Input):
    """An e-mail address. Keeps it with its domain in lower case."""

    type: Literal["email"]
    """An e-mail address; it is kept with its domain in lower case."""

    def build(self, compiler: Compiler) -> Reader:
        return _EmailReader()


@dataclass(frozen=True, slots=True)
class _EmailReader(Free):
    def read(self, message: dict[str, Any], tapped: str | None, scopes: Scopes) -> Answer:
        text = text_of(message, LONGEST)
        try:
            found = email_validator.validate_email(text, check_deliverability=False)
        except email_validator.EmailNotValidError as error:
            raise Invalid("an e-mail address is expected") from error
        return Answer(found.normalized)
