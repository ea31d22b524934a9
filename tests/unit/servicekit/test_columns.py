"""Rows as arrays of one statement."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from servicekit.columns import Array, Columns


class Row(NamedTuple):
    id: str
    size: int


def encoded(arrays: list[Array | None]) -> list[list[Any] | None]:
    """What asyncpg encodes, which asks for the elements twice."""
    return [None if array is None else (list(array), list(array))[1] for array in arrays]


def test_names_types_and_parameters_go_together() -> None:
    columns = Columns(Row, "uuid bigint")
    assert columns.unnest(after=2) == "unnest($3::uuid[], $4::bigint[]) u(id, size)"
    assert columns.insert("t") == "INSERT INTO t (id, size) SELECT * FROM unnest($1::uuid[], $2::bigint[]) u(id, size)"
    assert encoded(columns.arrays([Row("a", 1), Row("b", 2)])) == [["a", "b"], [1, 2]]
    assert encoded(columns.arrays([])) == [None, None]


def test_a_field_without_a_type_is_refused() -> None:
    with pytest.raises(ValueError, match="2 fields"):
        Columns(Row, "uuid")


def test_a_column_without_any_value_is_left_out() -> None:
    columns = Columns(Row, "uuid bigint")
    empty = Row("a", None)  # type: ignore[arg-type]
    assert encoded(columns.arrays([empty, Row("b", None)])) == [["a", "b"], None]  # type: ignore[arg-type]
    assert encoded(columns.arrays([empty, Row("b", 2)])) == [["a", "b"], [None, 2]]
