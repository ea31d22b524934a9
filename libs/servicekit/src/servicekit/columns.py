"""Rows as the arrays that one statement takes: `unnest($1::uuid[], $2::text[]) u(id, status)`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


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

    def arrays(self, rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """The parameters: for each column its values of all rows."""
        return list(zip(*rows, strict=True)) or [()] * len(self)

    def sparse_arrays(self, rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...] | None]:
        """The same for at least one row; a column without any value is None, which costs nothing and reads as nulls."""
        return [None if column.count(None) == len(column) else column for column in self.arrays(rows)]
