"""What others sent, as Postgres can hold it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from servicekit.storable import moment_of, storable


def test_text_loses_what_postgres_cannot_hold_and_the_rest_stays() -> None:
    given = {"a\x00": ["\x00b", {"c": "\x00"}], "d": [1, 1.5, None, True, 2**64 - 1, -(2**63)]}
    assert storable(given) == {"a\ufffd": ["\ufffdb", {"c": "\ufffd"}], "d": given["d"]}


def test_a_number_that_is_too_long_becomes_text() -> None:
    assert storable([2**64, -(2**63) - 1]) == [str(2**64), str(-(2**63) - 1)]


def test_a_moment_is_read_in_utc() -> None:
    assert moment_of("2026-11-21T01:00:00+01:00") == datetime(2026, 11, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["yesterday", "2026-11-21T00:00:00", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "\x00"]
)
def test_what_is_no_moment_of_utc_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="time"):
        moment_of(text)
