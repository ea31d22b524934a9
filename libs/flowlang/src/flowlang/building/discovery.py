"""Node types and trigger kinds of all installed packages, our own included, found by their entry points.

A package declares `[project.entry-points."switchhook.nodes"]` with a line `greet = "greetings.node:GreetModel"`: the
name is what `type` has in a document, the object its model. What cannot be used stops the process at its start, by the
name of the package: a bot that runs without one of its node types would answer wrongly later.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

from contracts.installed import BrokenPackage, package_of

Model = TypeVar("Model", bound=BaseModel)


class BrokenPlugin(BrokenPackage):
    """A package declares what cannot be used. The text names the package, the entry point and what is wrong."""


def discovered(group: str, base: type[Model]) -> dict[str, type[Model]]:
    """The models that all installed packages declare in this group: by name, sorted by it.

    Raises BrokenPlugin for one that does not load or is no such model, for a name that two packages declare, and when
    there are none at all.
    """
    found = _by_name(group, entry_points(group=group))
    if not found:
        raise BrokenPlugin(f"{group}: no package declares any, not even switchhook-flowlang: install it anew")
    return {name: _loaded(found[name], base) for name in sorted(found)}


def _by_name(group: str, declared: Iterable[EntryPoint]) -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in declared:
        if (other := found.get(point.name)) is not None and other.value != point.value:
            packages = " and ".join(sorted((package_of(other), package_of(point))))
            raise BrokenPlugin(f"{group}: {point.name!r} is declared by {packages}; only one of them can be installed")
        found[point.name] = point
    return found


def _loaded(point: EntryPoint, base: type[Model]) -> type[Model]:
    try:
        model = point.load()
    except Exception as error:  # Whatever a foreign module raises while it is imported.
        raise _broken(point, f"does not load: {type(error).__name__}: {error}") from error
    if not (isinstance(model, type) and issubclass(model, base)):
        raise _broken(point, f"is no subclass of {base.__module__}.{base.__qualname__}")
    named: Any = model.model_fields["type"].annotation
    if named != Literal[point.name]:
        raise _broken(point, f"needs the field `type: Literal[{point.name!r}]`, the name that it is declared by")
    return model


def _broken(point: EntryPoint, what: str) -> BrokenPlugin:
    return BrokenPlugin(f"{point.group}: {point.name} = {point.value} of the package {package_of(point)} {what}")
