"""Finds connectors by the entry point group `switchhook.channels`, ours and those of other packages alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from channels.port import Connector
from contracts.installed import BrokenPackage, package_of

GROUP = "switchhook.channels"
PLATFORM_DOOR = "in"
Connectors = Mapping[str, Connector]
"""By type, in the order of the types' names."""


class BrokenConnector(BrokenPackage):
    """A package's channel cannot be used. The text names the package, and what is wrong with it."""


@cache
def installed() -> Connectors:
    """The connectors of all installed packages, as they were when a process first asked: to look takes 10 ms.

    Raises BrokenConnector; a service that meets it does not start.
    """
    return load(entry_points(group=GROUP))


def load(found: Iterable[EntryPoint]) -> Connectors:
    """The connectors behind these entry points. Raises BrokenConnector, for two of one type, too."""
    connectors: dict[str, Connector] = {}
    origins: dict[str, str] = {}
    for point in sorted(found, key=lambda each: (each.name, package_of(each))):
        if point.name in connectors:
            both = f"{origins[point.name]} and {package_of(point)}"
            raise BrokenConnector(f"The channel type {point.name!r} comes from two packages, {both}: uninstall one.")
        connectors[point.name], origins[point.name] = _connector(point), package_of(point)
    _check_doors(connectors, origins)
    return connectors


def _check_doors(connectors: Connectors, origins: Mapping[str, str]) -> None:
    """A door of ingress serves one in-house type, and platforms share theirs."""
    served: dict[str, str] = {}
    for name, connector in connectors.items():
        door = connector.descriptor.door
        if connector.in_house == (door == PLATFORM_DOOR) or door in served:
            raise BrokenConnector(
                f"The channel {name!r} of {origins[name]} cannot be used: a type with a platform has the door "
                f"{PLATFORM_DOOR!r}, one without a door that no other has; this one's is {door!r}."
            )
        if connector.in_house:
            served[door] = name


def _connector(point: EntryPoint) -> Connector:
    broken = f"The channel {point.name!r} of {package_of(point)} cannot be used"
    try:
        made = point.load()
    except Exception as error:
        raise BrokenConnector(f"{broken}: {point.value} raises {type(error).__name__}: {error}") from error
    if not isinstance(made, Connector):
        raise BrokenConnector(f"{broken}: {point.value} is no channels.port.Connector.")
    if problem := made.descriptor.problem():
        raise BrokenConnector(f"{broken}: {problem}.")
    if made.descriptor.type != point.name:
        raise BrokenConnector(f"{broken}: its entry point is named otherwise than its type, {made.descriptor.type!r}.")
    return made
