"""Asking PostgreSQL, as far as it needs none."""

import pytest

from operations.errors import CommandError
from operations.postgres import asked, place

DSN = "postgresql://switchhook_registry:hunter2@127.0.0.1:1/switchhook"


async def test_a_server_that_is_away_is_named_without_the_password() -> None:
    with pytest.raises(CommandError) as refused:
        async with asked(DSN, "registry", "did not answer", then=" Start it."):
            pass
    assert str(refused.value).startswith("PostgreSQL at 127.0.0.1:1 as switchhook_registry did not answer (")
    assert str(refused.value).endswith("). Start it.")
    assert "hunter2" not in str(refused.value)
    assert isinstance(refused.value.__cause__, OSError)


def test_a_place_without_a_port_is_at_postgresqls_own() -> None:
    assert place("postgresql://me:hunter2@db.example/x") == "db.example:5432 as me"
