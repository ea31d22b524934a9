"""Which time zones may be named."""

from __future__ import annotations

import pytest

from contracts.time_zones import checked_time_zone


@pytest.mark.parametrize("name", ["UTC", "Europe/Riga", "America/Argentina/Ushuaia"])
def test_a_place_of_the_database_is_one(name: str) -> None:
    assert checked_time_zone(name) == name


@pytest.mark.parametrize("name", ["", "Riga", "europe/riga", "localtime", "Factory", "../UTC", "posixrules"])
def test_nothing_else_is_one(name: str) -> None:
    with pytest.raises(ValueError, match="a time zone by its name"):
        checked_time_zone(name)
