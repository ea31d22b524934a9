"""`number`: a number, with a point or a comma."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field

from flowlang.building.compiler import Compiler
from flowlang.expressions.scopes import Scopes
from flowlang.inputs.base import Answer, Free, Input, Invalid, Reader, text_of

LONGEST = 64
_NUMBER = re.compile(r"[-+]?\d{1,15}(?:[.,]\d{1,12})?")


class NumberInput(Input):
    """A number, with a point or a comma; `integer` refuses fractions."""

    type: Literal["number"]
    """A number; it is kept as one."""
    min: float | None = None
    """The smallest number that is taken."""
    max: float | None = None
    """The largest number that is taken."""
    integer: bool = False
    """Whether only whole numbers are taken."""
    multiple_of: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Only multiples of this are taken."""

    def build(self, compiler: Compiler) -> Reader:
        if self.min is not None and self.max is not None and self.min > self.max:
            compiler.problem("limits", "`min` is above `max`: nothing would be accepted", "min")
        return _NumberReader(self.min, self.max, self.integer, self.multiple_of)


@dataclass(frozen=True, slots=True)
class _NumberReader(Free):
    least: float | None
    most: float | None
    integer: bool
    multiple_of: float | None

    def read(self, message: dict[str, Any], tapped: str | None, scopes: Scopes) -> Answer:
        text = re.sub(r"(?<=\d)[ \u00a0\u202f](?=\d{3})", "", text_of(message, LONGEST))
        if not _NUMBER.fullmatch(text):
            raise Invalid("a number is expected")
        number = float(text.replace(",", "."))
        if self.integer and not number.is_integer():
            raise Invalid("a whole number is expected")
        if (self.least is not None and number < self.least) or (self.most is not None and number > self.most):
            raise Invalid("the number is out of range")
        if self.multiple_of is not None and not _is_multiple(number, self.multiple_of):
            raise Invalid(f"a multiple of {self.multiple_of:g} is expected")
        return Answer(int(number) if number.is_integer() else number)


def _is_multiple(number: float, of: float) -> bool:
    """As both are written: 0.3 is a multiple of 0.1."""
    quotient = Decimal(str(number)) / Decimal(str(of))
    return quotient == quotient.to_integral_value()
