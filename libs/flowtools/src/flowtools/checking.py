"""What is wrong with flow files, as it is found on save; with nothing but the files that is what stands in them."""

from __future__ import annotations

from collections.abc import Sequence

from flowlang.building.compiler import KnownNames
from flowlang.language.check import check, commands_of
from flowlang.language.document import load
from flowlang.problems import FlowInvalid, Problem
from flowtools.files import FlowFile


def problems_of(file: FlowFile, beside: Sequence[FlowFile] = ()) -> list[Problem]:
    """All problems of a file. `beside`: other flows of its bot; without any, what it says of others is not looked at."""
    try:
        return check(file.document, known_names(file, beside))
    except FlowInvalid as error:
        return error.problems


def known_names(file: FlowFile, beside: Sequence[FlowFile]) -> KnownNames:
    """What the file may refer to, as far as the files say."""
    if not beside:
        return KnownNames()
    commands: dict[str, str] = {}
    for other in beside:
        commands |= dict.fromkeys(_commands(other), other.slug or other.name)
    slugs = {slug for one in (file, *beside) if (slug := one.slug) is not None}
    return KnownNames(flows=slugs, commands=commands)


def _commands(file: FlowFile) -> tuple[str, ...]:
    try:
        return commands_of(load(file.document))
    except FlowInvalid:
        return ()
