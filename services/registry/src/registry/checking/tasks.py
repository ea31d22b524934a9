"""What is said between the service and its workers."""

from __future__ import annotations

from typing import Any, NamedTuple

TARGET = "registry.values.checking_worker:make"


class Check(NamedTuple):
    """One task: the name of a function of `registry.values.checking_worker`, and its arguments."""

    name: str
    arguments: tuple[Any, ...]


class Wrong(NamedTuple):
    """The ProblemError that the function raised, as its arguments."""

    arguments: tuple[Any, ...]
    extra: dict[str, Any]
