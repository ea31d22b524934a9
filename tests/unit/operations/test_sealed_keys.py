"""What `rotate-kek` says of each key."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime

import pytest

from operations.errors import CommandError
from operations.sealed_keys import SealedWith, key_ids, left_of, told, when

KEY = b64encode(bytes(32)).decode()
UNTIL = datetime(2026, 12, 1, 8, 30, tzinfo=UTC)


def test_the_first_key_is_the_current_one() -> None:
    assert key_ids(f"k2:{KEY},k1:{KEY}") == ("k2", "k1")
    assert key_ids("") == ()
    with pytest.raises(CommandError, match="base64 of 32 bytes"):
        key_ids("k2:short")


def test_a_key_that_has_secrets_stays_and_one_that_has_answers_until_they_are_gone() -> None:
    sealed = {"k1": SealedWith(3, 2, UNTIL), "k2": SealedWith(7)}
    assert told(sealed, "k2") == ["k1: 3 secrets, 2 kept answers", "k2 (the current one): 7 secrets, 0 kept answers"]
    assert left_of(sealed, "k2") == 3
    assert when(sealed, "k2") == ["k1 has to stay: 3 secrets are sealed with it"]
    later, rest = when({"k1": SealedWith(0, 2, UNTIL), "k2": SealedWith(10)}, "k2")
    assert later.startswith("k1 may be taken away from 2026-12-01 08:30 UTC on")
    assert rest == "keys that are not named here may be taken away now"
