"""The table of delivery kinds, from the modules beside this one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pkgutil import iter_modules

from dispatcher import kinds
from dispatcher.model.catalogue import Catalogue
from dispatcher.model.delivery import FEW, DeliveryKind, Limits

Kinds = Mapping[str, DeliveryKind]
"""By name."""


def _found() -> Iterable[DeliveryKind]:
    for module in iter_modules(kinds.__path__, "dispatcher.kinds."):
        if module.name != __name__:
            kind: DeliveryKind = import_module(module.name).KIND
            yield kind


DELIVERY_KINDS: Kinds = {kind.name: kind for kind in _found()}


def limits_in(table: Kinds, catalogue: Catalogue) -> Callable[[str], Limits]:
    """A function: a destination's name -> what it takes over all replicas."""
    by_prefix = {kind.prefix: kind.limits for kind in table.values()}

    def limits(destination: str) -> Limits:
        prefix, _, target = destination.partition(":")
        known = by_prefix.get(prefix)
        return FEW if known is None else known(target, catalogue)

    return limits
