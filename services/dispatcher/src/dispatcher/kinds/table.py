"""The table of delivery kinds: the modules beside this one, and what other packages bring.

Another package's is found by the entry point group `switchhook.delivery_kinds`. What cannot be used stops the process at
its start, by the name of the package: its deliveries would only be refused later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pkgutil import iter_modules

from contracts.installed import BrokenPackage, package_of
from dispatcher import kinds
from dispatcher.model.catalogue import Catalogue
from dispatcher.model.delivery import FEW, DeliveryKind, Limits

GROUP = "switchhook.delivery_kinds"
Kinds = Mapping[str, DeliveryKind]
"""By name."""


class BrokenKind(BrokenPackage):
    """A kind cannot be used. The text names the module or package, and what is wrong with it."""


def table_of(found: Iterable[tuple[str, object]]) -> Kinds:
    """The kinds by name, from where each comes from and what is there. Raises BrokenKind."""
    table: dict[str, DeliveryKind] = {}
    makers: dict[object, str] = {}
    for origin, kind in found:
        if not isinstance(kind, DeliveryKind):
            raise BrokenKind(f"{origin} is no DeliveryKind.")
        maker = kind.action or kind.name
        if kind.name in table or maker in makers:
            raise BrokenKind(f"{origin}: there is a delivery kind {kind.name!r}, or one for its action, already.")
        table[kind.name], makers[maker] = kind, origin
    return table


def _ours() -> Iterable[tuple[str, object]]:
    for module in iter_modules(kinds.__path__, "dispatcher.kinds."):
        if module.name != __name__:
            yield module.name, import_module(module.name).KIND


def _others(found: Iterable[EntryPoint]) -> Iterable[tuple[str, object]]:
    for point in sorted(found, key=lambda each: each.value):
        origin = f"{point.name} = {point.value} of {package_of(point)}"
        try:
            yield origin, point.load()
        except Exception as error:  # Whatever a foreign module raises while it is imported.
            raise BrokenKind(f"{origin} does not load: {type(error).__name__}: {error}") from error


DELIVERY_KINDS = table_of([*_ours(), *_others(entry_points(group=GROUP))])


def limits_in(table: Kinds, catalogue: Catalogue) -> Callable[[str], Limits]:
    """A function: a destination's name -> what it takes over all replicas."""
    by_prefix = {kind.prefix: kind.limits for kind in table.values()}

    def limits(destination: str) -> Limits:
        prefix, _, target = destination.partition(":")
        known = by_prefix.get(prefix)
        return FEW if known is None else known(target, catalogue)

    return limits
