"""`choice`: one of several options."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from flowlang.building.compiler import Compiler
from flowlang.building.fields import OptionId
from flowlang.inputs.base import Input, Named, Reader
from flowlang.inputs.options import OptionsReader, Shown, option


class ChoiceOption(Shown):
    """One choice. `to` makes it a port of its own; `synonyms` are other words for it."""

    id: OptionId
    """Its name: what is kept, and what a report calls it."""


class Choice(Input):
    """One of the options, by a tap, its id, its title, a synonym or its place in the list. Keeps the id."""

    type: Literal["choice"]
    """One of several options, by a tap, its title, its id, a synonym or its number; its id is kept."""
    options: tuple[ChoiceOption, ...] = Field(min_length=1, max_length=40)
    """What there is to choose from."""

    def build(self, compiler: Compiler) -> Reader:
        seen: set[str] = set()
        options = []
        for index, each in enumerate(self.options):
            with compiler.at("options", index):
                if each.id in seen:
                    compiler.problem("duplicate-id", f"the option {each.id!r} is there twice", "id")
                seen.add(each.id)
                options.append(option(each.id, each.id, each, compiler))
        return OptionsReader(tuple(options))

    def named(self) -> Iterator[Named]:
        for index, each in enumerate(self.options):
            yield Named(each.id, each.to, ("options", index, "to"))
