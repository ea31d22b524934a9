from base64 import b64encode

import pytest

from servicekit.credentials import sealing
from servicekit.credentials.missing_keys import ASKED_SECONDS, MissingKeys
from servicekit.credentials.sealing import KeyRing, SealError

PLACE = {"project": "p1", "entity": "c1", "field": "credentials"}
OLD, NEW = (f"{id}:{b64encode(id.encode() * 16).decode()}" for id in ("k1", "k2"))


def test_a_key_that_is_missing_is_named_by_readiness_until_nothing_asks_for_it(monkeypatch):
    now = 0.0
    missing = MissingKeys(lambda: now)
    monkeypatch.setattr(sealing, "MISSING", missing)
    sealed = KeyRing(OLD).seal(b"x", **PLACE)
    assert missing.problem() is None
    with pytest.raises(SealError, match="k1 is not in SWITCHHOOK_KEK"):
        KeyRing(NEW).open_sealed(sealed, **PLACE)
    assert "the key-encryption key k1, which is not in SWITCHHOOK_KEK" in (missing.problem() or "")
    now = ASKED_SECONDS + 1
    assert missing.problem() is None


def test_a_key_that_is_there_is_not_missing(monkeypatch):
    missing = MissingKeys()
    monkeypatch.setattr(sealing, "MISSING", missing)
    ring = KeyRing(f"{NEW},{OLD}")
    assert ring.open_sealed(KeyRing(OLD).seal(b"x", **PLACE), **PLACE) == b"x"
    assert missing.problem() is None
