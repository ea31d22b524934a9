"""Who wants which events: chosen by name as an endpoint of the API chooses them, and checked where it is declared."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from contracts.event_data import EventData
from contracts.event_types import EVENTS, EventKind, offered
from switchhook_sdk.event import CloudEvent

Handler = Callable[[CloudEvent[Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Wish:
    """`project`: None for those of every project."""

    types: frozenset[str]
    project: str | None
    handler: Handler


def wish(types: Iterable[str], project: str | None, handler: Handler) -> Wish:
    """A handler for types (`message.sent`), groups (`tag.*`) or all (`*`).

    Raises ValueError for a name that no type has, TypeError where the handler names another model than its types have.
    """
    kinds = [EVENTS[type] for name in types for type in _named(name)]
    _check_model(handler, kinds)
    return Wish(frozenset(kind.name for kind in kinds), project, handler)


def _named(name: str) -> list[str]:
    begins = name.removesuffix("*") if name == "*" or name.endswith(".*") else None
    found = [type for type in offered() if type == name or (begins is not None and type.startswith(begins))]
    if not found:
        raise ValueError(f"there is no type of event {name!r}; there are: {', '.join(offered())}")
    return found


def _check_model(handler: Handler, kinds: Iterable[EventKind]) -> None:
    """Only where the annotation says `CloudEvent[...]`, and can be resolved."""
    try:
        parameter = next(iter(inspect.signature(handler, eval_str=True).parameters.values()), None)
    except NameError:
        return
    if parameter is None or get_origin(parameter.annotation) is not CloudEvent:
        return
    (named,) = get_args(parameter.annotation)
    models = tuple(
        each for each in get_args(named) or (named,) if inspect.isclass(each) and issubclass(each, EventData)
    )
    for kind in kinds:
        if models and not issubclass(kind.data, models):
            said = " | ".join(model.__name__ for model in models)
            raise TypeError(f"the data of {kind.name} is {kind.data.__name__}, and the handler takes {said}")
