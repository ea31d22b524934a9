"""What the kinds of entities have in common: each module of rules ends with one Resource, and HTTP needs no more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from contracts.cloudevents import rfc3339
from contracts.model import Model
from registry.entities import M, Stored, data_of
from registry.resources.inputs import Input
from registry.site import Site
from registry.writing.unit import Unit

N = TypeVar("N", bound=Input)
P = TypeVar("P", bound=Input)


class Made(NamedTuple, Generic[M]):
    """A new entity, and what is told about it this one time."""

    stored: Stored[M]
    once: Mapping[str, Any] = {}


def show(stored: Stored[M], site: Site, *, hide: frozenset[str] = frozenset()) -> dict[str, Any]:
    """What everybody may see of an entity: its fields but the hidden ones, with version and times."""
    data = {name: value for name, value in data_of(stored.entity).items() if name not in hide}
    return {
        "id": stored.id,
        **data,
        "version": stored.version,
        "created_at": rfc3339(stored.created_at),
        "updated_at": rfc3339(stored.updated_at),
    }


async def remove(unit: Unit, stored: Stored[Any]) -> None:
    """Delete what nobody uses."""
    await unit.remove(stored.entity)


@dataclass(frozen=True, slots=True)
class Resource(Generic[M, N, P]):
    """`filters`: query parameter of the list -> field of the entity."""

    noun: str
    model: type[M]
    new: type[N]
    create: Callable[[Unit, N], Awaitable[Made[M]]]
    patch: type[P] | None = None
    change: Callable[[Unit, Stored[M], P], Awaitable[Stored[M]]] | None = None
    """None: it is never changed, only made and deleted, or changed in ways of its own."""
    show: Callable[[Stored[M], Site], dict[str, Any]] = show
    remove: Callable[[Unit, Stored[M]], Awaitable[None]] = remove
    filters: Mapping[str, str] = field(default_factory=dict)
    operator_only: bool = False
    """Making and deleting is the operator's."""


AnyResource = Resource[Model, Input, Input]
