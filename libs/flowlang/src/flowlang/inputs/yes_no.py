"""`yes_no`: a question that is answered by yes or no."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from flowlang.building.compiler import Compiler
from flowlang.inputs.base import Input, Named, Reader
from flowlang.inputs.options import OptionsReader, Shown, option


class Yes(Shown):
    """The answer yes."""

    title: str = Field(default="Yes", min_length=1, max_length=200)
    """What is on the button; may have merge tags."""


class No(Shown):
    """The answer no."""

    title: str = Field(default="No", min_length=1, max_length=200)
    """What is on the button; may have merge tags."""


class YesNo(Input):
    """Yes or no, by a tap, its title, a synonym, `yes`, `y`, `no`, `n`, or 1 and 2. Keeps true or false."""

    type: Literal["yes_no"]
    """Yes or no; true or false is kept."""
    yes: Yes = Yes()
    """The first button; a report calls it `yes`."""
    no: No = No()
    """The second button; a report calls it `no`."""

    def build(self, compiler: Compiler) -> Reader:
        with compiler.at("yes"):
            yes = option("yes", True, self.yes, compiler, "yes", "y")
        with compiler.at("no"):
            no = option("no", False, self.no, compiler, "no", "n")
        if yes.words & no.words:
            both = ", ".join(sorted(yes.words & no.words))
            compiler.problem("ambiguous", f"these words mean both yes and no: {both}", "no", "synonyms")
        return OptionsReader((yes, no))

    def named(self) -> Iterator[Named]:
        yield Named("yes", self.yes.to, ("yes", "to"))
        yield Named("no", self.no.to, ("no", "to"))
