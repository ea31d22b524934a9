"""Texts that only we can make and read: signed links (`w` command URLs, `r` tracked links), sessions of web chat (`s`).

`base64url(version, key id, project, nonce, ciphertext)`: the payload is encrypted and authenticated under a key that
follows from the link key, the project and the key id; the purpose is bound to it, so that a text for one purpose is
nothing for another. Equal payloads give equal texts (the nonce follows from the content): a turn that runs twice sends
the same link. Expiry, single use and revocation are fields of the payload, judged by who opens it.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache
from hashlib import sha256
from typing import Any, Literal, NamedTuple
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from servicekit.misconfigured import not_set

Purpose = Literal["w", "r", "s", "m"]
"""`w` runs a command, `r` is a tracked redirect, `s` a chat session, `m` a file."""

VERSION = 1
KEY_ID_BYTES, NONCE_BYTES = 2, 12
LIMIT = 4096
"""Characters of a text that is looked at."""
_UUID_MARK = 0


class Opened(NamedTuple):
    """What a genuine text says."""

    project: str
    payload: dict[str, Any]


class _Keys(NamedTuple):
    cipher: AESGCM
    nonce_key: bytes


class LinkKeys:
    """Makes and opens texts; the same for every process that has the same link key."""

    def __init__(self, link_key: SecretStr | str | None) -> None:
        """`link_key`: one secret, or several separated by commas: the first signs, all open. Raises Misconfigured if none."""
        text = link_key.get_secret_value() if isinstance(link_key, SecretStr) else link_key or ""
        secrets = [part.strip().encode() for part in text.split(",") if part.strip()]
        if not secrets:
            raise not_set("SWITCHHOOK_LINK_KEY")
        self._secrets = {_key_id(secret): secret for secret in secrets}
        self._current = _key_id(secrets[0])

    def sign_link(self, purpose: Purpose, project: str, payload: dict[str, Any]) -> str:
        """The text for this payload (plain JSON types)."""
        head = bytes([VERSION]) + self._current + _pack_project(project)
        keys = _derive(self._secrets[self._current], project, self._current)
        bound = purpose.encode() + head
        plaintext = msgspec.msgpack.encode(payload)
        nonce = hmac.digest(keys.nonce_key, bound + plaintext, sha256)[:NONCE_BYTES]
        sealed = keys.cipher.encrypt(nonce, plaintext, bound)
        return urlsafe_b64encode(head + nonce + sealed).rstrip(b"=").decode()

    def open_link(self, text: str, purpose: Purpose) -> Opened | None:
        """What the text says, None when it is not ours, altered, or for another purpose."""
        try:
            raw = _decode(text)
            project, end = _unpack_project(raw, 1 + KEY_ID_BYTES)
            secret = self._secrets[raw[1 : 1 + KEY_ID_BYTES]]
            keys = _derive(secret, project, raw[1 : 1 + KEY_ID_BYTES])
            nonce, sealed = raw[end : end + NONCE_BYTES], raw[end + NONCE_BYTES :]
            plaintext = keys.cipher.decrypt(nonce, sealed, purpose.encode() + raw[:end])
        except (InvalidTag, ValueError, KeyError, IndexError):
            return None
        return Opened(project, msgspec.msgpack.decode(plaintext))


@lru_cache(maxsize=1024)
def _derive(secret: bytes, project: str, key_id: bytes) -> _Keys:
    info = b"switchhook link\x00" + key_id + b"\x00" + project.encode()
    material = HKDF(SHA256(), length=64, salt=None, info=info).derive(secret)
    return _Keys(AESGCM(material[:32]), material[32:])


def _key_id(secret: bytes) -> bytes:
    return sha256(b"switchhook link key id\x00" + secret).digest()[:KEY_ID_BYTES]


def _decode(text: str) -> bytes:
    if len(text) > LIMIT:
        raise ValueError("too long")
    raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    if raw[0] != VERSION or urlsafe_b64encode(raw).rstrip(b"=") != text.encode():
        raise ValueError("another version, or not the one spelling of it")
    return raw


def _pack_project(project: str) -> bytes:
    try:
        id = UUID(project)
    except ValueError:
        id = None
    if id is not None and str(id) == project:
        return bytes([_UUID_MARK]) + id.bytes
    name = project.encode()
    if not 0 < len(name) < 256:
        raise ValueError("a project's id has 1 to 255 bytes")
    return bytes([len(name)]) + name


def _unpack_project(raw: bytes, start: int) -> tuple[str, int]:
    size = raw[start]
    if size == _UUID_MARK:
        return str(UUID(bytes=raw[start + 1 : start + 17])), start + 17
    return raw[start + 1 : start + 1 + size].decode(), start + 1 + size
