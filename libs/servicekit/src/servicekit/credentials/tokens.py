"""API tokens: `swh_<id>_<random>_<crc>`, base 62 in fixed widths, parsed by position.

The id is the token entity's UUID, the random part 256 bits, the checksum (CRC-32 of all before it) lets secret scanners
and `authorise` tell a token from noise. It is no secret: a token is found by the SHA-256 of the whole. A text without a
token's form is answered like any other unknown token, and nothing is looked up for it.
"""

from __future__ import annotations

import secrets
from binascii import crc32
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from contracts.ids import uuid7
from servicekit.credentials import base62

PREFIX = "swh_"
ID_WIDTH, RANDOM_WIDTH, CRC_WIDTH = 22, 43, 6
_ID = slice(len(PREFIX), len(PREFIX) + ID_WIDTH)
_RANDOM = slice(_ID.stop + 1, _ID.stop + 1 + RANDOM_WIDTH)
_CRC = slice(_RANDOM.stop + 1, _RANDOM.stop + 1 + CRC_WIDTH)
LENGTH = _CRC.stop


class NewToken(NamedTuple):
    """`text` is shown once; `id` and `sha256` (hex) are kept."""

    text: str
    id: str
    sha256: str


class ParsedToken(NamedTuple):
    """`id` is the token entity's; `genuine` says whether the checksum fits."""

    id: str
    genuine: bool


def generate_token() -> NewToken:
    """A new token with a new id."""
    id = uuid7()
    body = f"{PREFIX}{base62.encode(id.int, ID_WIDTH)}_{generate_url_secret()}"
    text = f"{body}_{_checksum(body)}"
    return NewToken(text, str(id), digest(text))


def digest(text: str) -> str:
    """What a token is stored and found by: the hex SHA-256 of the whole."""
    return sha256(text.encode()).hexdigest()


def parse_token(text: str) -> ParsedToken | None:
    """The parts of a token by position, None when it does not have a token's shape."""
    if not has_shape(text):
        return None
    try:
        id = UUID(int=base62.decode(text[_ID]))
    except ValueError:
        return None
    return ParsedToken(str(id), is_genuine(text))


def is_genuine(text: str) -> bool:
    """Whether the text has a token's shape and its checksum fits: what is not so was never a token of anybody's."""
    return has_shape(text) and text[_CRC] == _checksum(text[: _CRC.start - 1])


def generate_url_secret() -> str:
    """A secret that stands in a URL: 256 bits, in letters and digits."""
    return "".join(secrets.choice(base62.ALPHABET) for _ in range(RANDOM_WIDTH))


def has_shape(text: str) -> bool:
    """Length, prefix, separators and alphabet are a token's."""
    return (
        len(text) == LENGTH
        and text.startswith(PREFIX)
        and text[_ID.stop] == text[_RANDOM.stop] == "_"
        and text.isascii()
        and (text[_ID] + text[_RANDOM] + text[_CRC]).isalnum()
    )


def _checksum(body: str) -> str:
    return base62.encode(crc32(body.encode()), CRC_WIDTH)
