"""Rows as the arrays that one statement takes: `unnest($1::uuid[], $2::text[]) u(id, status)`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any


class Array:
    """The values of one column, as the parameter for a flat array.

    asyncpg goes through an array twice: first to ask of each value whether it is an array itself, which costs more than
    to encode it (docs/performance.md), then to encode. What is asked here is answered at once: there are no values yet.
    """

    __slots__ = ("_asked", "_values")

    def __init__(self, values: Sequence[Any]) -> None:
        self._values, self._asked = values, False

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[Any]:
        self._asked = not self._asked
        return iter(() if self._asked else self._values)


def array(values: Sequence[Any]) -> Array | None:
    """The parameter for one column of unnest. Without any value it is None, which costs nothing and reads as nulls, or as no rows where
    no other column has values."""
    if values and (values[0] is not None or values.count(None) < len(values)):
        return Array(values)
    return None


class Columns:
    """The fields of a NamedTuple with their SQL types: `types` has one word for each field, in the same order."""

    def __init__(self, row: Any, types: str) -> None:
        self.names: tuple[str, ...] = row._fields
        self._types = types.split()
        if len(self._types) != len(self.names):
            raise ValueError(f"{row.__name__} has {len(self.names)} fields, and {len(self._types)} types were given")

    def __len__(self) -> int:
        return len(self.names)

    def __str__(self) -> str:
        return ", ".join(self.names)

    def unnest(self, *, after: int = 0) -> str:
        """A FROM item `u` with these columns; its parameters come after the first `after` ones of the statement."""
        arrays = ", ".join(f"${after + number}::{type}[]" for number, type in enumerate(self._types, 1))
        return f"unnest({arrays}) u({self})"

    def insert(self, table: str, *, after: int = 0) -> str:
        """The statement that adds these rows to a table."""
        return f"INSERT INTO {table} ({self}) SELECT * FROM {self.unnest(after=after)}"  # noqa: S608 (of constants)

    def arrays(self, rows: Iterable[tuple[Any, ...]]) -> list[Array | None]:
        """The parameters: for each column its values of all rows."""
        return [array(column) for column in zip(*rows, strict=True)] or [None for _ in self.names]
