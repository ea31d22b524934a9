import os
from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from contracts.registry import Sealed
from servicekit.credentials.sealing import KeyRing, SealError

PLACE = {"project": "p1", "entity": "channel/c1", "field": "credentials"}


def key(id: str = "") -> str:
    encoded = b64encode(os.urandom(32)).decode()
    return f"{id}:{encoded}" if id else encoded


@given(st.binary(max_size=2000))
def test_a_secret_round_trips(secret):
    ring = KeyRing(SecretStr(key("a")))
    sealed = ring.seal(secret, **PLACE)
    assert ring.open_sealed(sealed, **PLACE) == secret


def test_nothing_of_the_secret_shows():
    sealed = KeyRing(key()).seal(b"123456:AAE-telegram-token", **PLACE)
    assert b"telegram" not in sealed.encode()
    assert b"telegram" not in b64decode(sealed.ciphertext)


def test_the_same_secret_looks_different_each_time():
    ring = KeyRing(key())
    assert ring.seal(b"x", **PLACE).ciphertext != ring.seal(b"x", **PLACE).ciphertext


@pytest.mark.parametrize("part", ["project", "entity", "field"])
def test_a_ciphertext_cannot_be_moved(part):
    ring = KeyRing(key())
    sealed = ring.seal(b"x", **PLACE)
    with pytest.raises(SealError):
        ring.open_sealed(sealed, **(PLACE | {part: "another"}))


@pytest.mark.parametrize("field", ["wrapped_key", "nonce", "ciphertext"])
def test_an_altered_ciphertext_does_not_open(field):
    ring = KeyRing(key())
    sealed = ring.seal(b"x", **PLACE)
    raw = bytearray(b64decode(getattr(sealed, field)))
    raw[-1] ^= 1
    for altered in (b64encode(raw).decode(), "", "not base64", "AAAA"):
        with pytest.raises(SealError):
            ring.open_sealed(sealed.model_copy(update={field: altered}), **PLACE)


def test_a_ring_opens_what_its_older_keys_sealed_and_seals_with_the_first():
    old, new = key("2025"), key("2026")
    sealed = KeyRing(old).seal(b"x", **PLACE)
    ring = KeyRing(f"{new}, {old}")
    assert ring.open_sealed(sealed, **PLACE) == b"x"
    assert ring.seal(b"y", **PLACE).kek_id == ring.current == "2026"


def test_rotation_wraps_the_data_key_again_and_leaves_the_ciphertext():
    old, new = key("2025"), key("2026")
    sealed = KeyRing(old).seal(b"x", **PLACE)
    moved = KeyRing(f"{new},{old}").rewrap(sealed, **PLACE)
    assert (moved.kek_id, moved.ciphertext) == ("2026", sealed.ciphertext)
    assert KeyRing(new).open_sealed(moved, **PLACE) == b"x"


def test_an_unknown_key_is_named():
    sealed = KeyRing(key("lost")).seal(b"x", **PLACE)
    with pytest.raises(SealError, match="lost"):
        KeyRing(key("other")).open_sealed(sealed, **PLACE)
    with pytest.raises(SealError, match="lost"):
        KeyRing(key("other")).rewrap(sealed, **PLACE)


def test_rewrap_refuses_another_place():
    ring = KeyRing(key())
    with pytest.raises(SealError):
        ring.rewrap(ring.seal(b"x", **PLACE), **(PLACE | {"field": "other"}))


def test_a_key_without_an_id_is_known_by_itself():
    bare = key()
    sealed = KeyRing(bare).seal(b"x", **PLACE)
    assert KeyRing(f"{key('new')},{bare}").open_sealed(sealed, **PLACE) == b"x"


@pytest.mark.parametrize("keks", [None, "", " , ", "a:", "not base64!", b64encode(b"short").decode()])
def test_a_ring_without_proper_keys_is_refused_without_showing_them(keks):
    with pytest.raises(ValueError, match="SWITCHHOOK_KEK") as refused:
        KeyRing(keks)
    assert not keks or keks.strip(" ,") == "" or keks not in str(refused.value)


def test_a_place_has_no_separator_in_its_parts():
    with pytest.raises(ValueError, match="place"):
        KeyRing(key()).seal(b"x", project="a|b", entity="c", field="d")


def test_a_value_cannot_be_passed_off_as_another_version():
    ring = KeyRing(key())
    first = ring.seal(b"old", **PLACE)
    second = ring.seal(b"new", **PLACE, after=first)
    assert (first.version, second.version) == (1, 2)
    for wrong in (first.model_copy(update={"version": 2}), second.model_copy(update={"version": 0})):
        with pytest.raises(SealError):
            ring.open_sealed(wrong, **PLACE)


def test_what_was_sealed_before_versions_were_counted_still_opens():
    """Sealed by the release before, under the key of 32 zero bytes."""
    ring = KeyRing(f"old:{b64encode(bytes(32)).decode()}")
    place = b"p1|channel/c1|credentials"
    nonce, data_key = bytes(12), bytes(range(32))
    wrapped = nonce + AESGCM(bytes(32)).encrypt(nonce, data_key, place)
    ciphertext = AESGCM(data_key).encrypt(nonce, b"secret", place)
    texts = {"wrapped_key": wrapped, "nonce": nonce, "ciphertext": ciphertext}
    sealed = Sealed(kek_id="old", **{name: b64encode(raw).decode() for name, raw in texts.items()})
    assert ring.open_sealed(sealed, **PLACE) == b"secret"
    assert ring.open_sealed(ring.rewrap(sealed, **PLACE), **PLACE) == b"secret"
    assert ring.seal(b"next", **PLACE, after=sealed).version == 1
