"""What the kinds of entities have in common: each module of rules ends with one Resource, and HTTP needs no more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from pydantic import BaseModel, create_model

from contracts.cloudevents import rfc3339
from registry.entities import M, Stored, data_of
from registry.site import Site
from registry.values.inputs import Input
from registry.writing.unit import Unit

N = TypeVar("N", bound=Input)
P = TypeVar("P", bound=Input)


class Made(NamedTuple, Generic[M]):
    """A new entity, and what is told about it this one time."""

    stored: Stored[M]
    once: Mapping[str, Any] = {}


class Common(BaseModel):
    """What is shown of every entity beside its own fields. Times are RFC 3339 UTC; the ETag is the version."""

    version: int
    created_at: str
    updated_at: str


class Nothing(BaseModel):
    """No fields beside those of the entity."""


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
    change: Callable[[Unit, Stored[M], P], Awaitable[Stored[M] | Made[M]]] | None = None
    """None: it is never changed, only made and deleted, or changed in ways of its own. Made: with what is told this once."""
    show: Callable[[Stored[M], Site], dict[str, Any]] = show
    beside: Callable[[Unit, Stored[M]], Awaitable[dict[str, Any]]] | None = None
    """What is shown beside that and stands in another entity, where one is read or listed."""
    remove: Callable[[Unit, Stored[M]], Awaitable[None]] = remove
    end: Callable[[Unit, str], Awaitable[bool]] | None = None
    """What `?force=true` of its DELETE ends beside it, by its id, also after it was deleted; False: there is nothing. None: its DELETE has no such parameter."""
    filters: Mapping[str, str] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    """Fields of the entity that `show` leaves out."""
    also: type[BaseModel] = Nothing
    """What `show` adds to the entity's fields."""
    once: type[BaseModel] = Nothing
    """What the answer to the making tells this one time."""
    checked: bool = False
    """Whether making or changing one needs checks of what users wrote (registry.checking)."""

    def shown_model(self) -> type[BaseModel]:
        """What `show` gives, for the API's document."""
        fields = {
            name: (each.annotation, each) for name, each in self.model.model_fields.items() if name not in self.hidden
        }
        made: Any = create_model(self.model.__name__, __base__=(self.also, Common), __doc__=_said(self.model), **fields)  # type: ignore[call-overload]
        return made

    def made_model(self, shown: type[BaseModel]) -> type[BaseModel]:
        """What the answer to the making has: `shown`, and what is told once."""
        if self.once is Nothing:
            return shown
        return create_model(f"Made{shown.__name__}", __base__=(self.once, shown), __doc__=_said(self.once))


def _said(model: type[BaseModel]) -> str:
    return model.__doc__ or ""


AnyResource: TypeAlias = Resource[Any, Any, Any]
