"""Keyed hashes of what names a person: all that is kept of a key once it is erased. Pure.

The link key is what they are made with, or rather a key that follows from it: who has the database alone cannot try names.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from functools import lru_cache

from pydantic import SecretStr

_PURPOSE = b"switchhook erased key"
SIZE = 16
"""Bytes of a pseudonym."""
MOST_KEPT = 4096
"""Pseudonyms of conversations that are kept: who writes to a bot writes again within minutes."""


class Pseudonyms:
    """`link_key`: one secret, or several separated by commas; the first makes pseudonyms, those of all are known."""

    def __init__(self, link_key: SecretStr | None) -> None:
        text = link_key.get_secret_value() if link_key else ""
        secrets = [part.strip().encode() for part in text.split(",") if part.strip()]
        self._keys = [hmac.digest(secret, _PURPOSE, "sha256") for secret in secrets]
        self.of_conversation = lru_cache(maxsize=MOST_KEPT)(self.of)
        """`of` a conversation's key: each batch asks for those of its conversations."""

    def __bool__(self) -> bool:
        """Whether there is a key to make them with."""
        return bool(self._keys)

    @property
    def has_former(self) -> bool:
        """Whether pseudonyms may have been made with a key that is not the first any more."""
        return len(self._keys) > 1

    def of(self, name: str) -> bytes:
        """The pseudonym of a conversation's key, or of another key that a person is found by; empty, and nobody's, without a key."""
        return hmac.digest(self._keys[0], name.encode(), "sha256")[:SIZE] if self._keys else b""

    def known(self, names: Iterable[str]) -> dict[bytes, str]:
        """All pseudonyms that may stand for these names, each with its name."""
        return {hmac.digest(key, name.encode(), "sha256")[:SIZE]: name for name in names for key in self._keys}
