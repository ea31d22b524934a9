"""Secrets at rest and on Kafka: AES-256-GCM under a data key of their own, which the key-encryption key wraps.

Every ciphertext is bound to its place (`project|entity|field`), so that one cannot be moved to another entity and read
there, and to its version, so that a value which was replaced cannot be passed off as the one that replaced it. What was
sealed before versions were counted is version 0: it opens as it did, and gets a version when the value is set again.
Rotation re-wraps the data key and leaves the ciphertext alone (docs/how-to/operate.md).
"""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from contracts.registry import Sealed
from servicekit.credentials.missing_keys import MISSING
from servicekit.misconfigured import Misconfigured, not_set

KEY_BYTES, NONCE_BYTES = 32, 12


class SealError(Exception):
    """Cannot be opened: sealed under a key that is not in the ring, for another place, or altered."""


class KeyRing:
    """The key-encryption keys of this process; the first one seals, each one opens what it sealed."""

    def __init__(self, keks: SecretStr | str | None) -> None:
        """`keks`: `id:base64` of 32 bytes, separated by commas; an id left out is made from the key.

        Raises Misconfigured when there is none or one is not 32 bytes.
        """
        text = keks.get_secret_value() if isinstance(keks, SecretStr) else keks or ""
        pairs = [_parse(part.strip()) for part in text.split(",") if part.strip()]
        if not pairs:
            raise not_set("SWITCHHOOK_KEK")
        self._keys = {kek_id: AESGCM(key) for kek_id, key in reversed(pairs)}
        self.current = pairs[0][0]
        self.ids = list(self._keys)
        """Of all its keys, in no order."""

    def seal(self, plaintext: bytes, *, project: str, entity: str, field: str, after: Sealed | None = None) -> Sealed:
        """Encrypt a secret for one place, as the version after the one that it replaces."""
        version = 1 if after is None else after.version + 1
        place = _place(project, entity, field, version)
        data_key, nonce = AESGCM.generate_key(256), os.urandom(NONCE_BYTES)
        ciphertext = AESGCM(data_key).encrypt(nonce, plaintext, place)
        return Sealed(
            version=version,
            kek_id=self.current,
            wrapped_key=self._wrap(data_key, place),
            nonce=_text(nonce),
            ciphertext=_text(ciphertext),
        )

    def open_sealed(self, sealed: Sealed, *, project: str, entity: str, field: str) -> bytes:
        """The secret. Raises SealError."""
        place = _place(project, entity, field, sealed.version)
        try:
            data_key = self._unwrap(sealed, place)
            return AESGCM(data_key).decrypt(b64decode(sealed.nonce), b64decode(sealed.ciphertext), place)
        except (InvalidTag, ValueError) as error:
            raise SealError(f"{entity}: {field} cannot be opened") from error

    def rewrap(self, sealed: Sealed, *, project: str, entity: str, field: str) -> Sealed:
        """The same secret under the current key. Raises SealError."""
        place = _place(project, entity, field, sealed.version)
        try:
            data_key = self._unwrap(sealed, place)
        except (InvalidTag, ValueError) as error:
            raise SealError(f"{entity}: {field} cannot be opened") from error
        return sealed.model_copy(update={"kek_id": self.current, "wrapped_key": self._wrap(data_key, place)})

    def _wrap(self, data_key: bytes, place: bytes) -> str:
        nonce = os.urandom(NONCE_BYTES)
        return _text(nonce + self._keys[self.current].encrypt(nonce, data_key, place))

    def _unwrap(self, sealed: Sealed, place: bytes) -> bytes:
        key = self._keys.get(sealed.kek_id)
        if key is None:
            MISSING.asked(sealed.kek_id)
            raise SealError(f"the key-encryption key {sealed.kek_id} is not in SWITCHHOOK_KEK")
        wrapped = b64decode(sealed.wrapped_key)
        return key.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], place)


def _parse(part: str) -> tuple[str, bytes]:
    kek_id, _, encoded = part.rpartition(":")
    try:
        key = b64decode(encoded, validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise Misconfigured("SWITCHHOOK_KEK: each key is the base64 of 32 bytes")
    return kek_id or sha256(key).hexdigest()[:8], key


def _place(project: str, entity: str, field: str, version: int) -> bytes:
    if "|" in project + entity + field:
        raise ValueError("a place has no | in its parts")
    counted = f"|{version}" if version else ""
    return f"{project}|{entity}|{field}{counted}".encode()


def _text(raw: bytes) -> str:
    return b64encode(raw).decode()
