"""Cursors of lists: opaque to callers, the sort key of the last item to us."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson

from servicekit.storable import storable
from servicekit.web.requests import invalid_query

DEFAULT_LIMIT, MAX_LIMIT = 50, 200
NO_CURSOR = "take it from `next` of the page before."


def encode_cursor(*key: str | int) -> str:
    """The cursor that continues after the item with this sort key."""
    return urlsafe_b64encode(orjson.dumps(key)).rstrip(b"=").decode()


def decode_cursor(cursor: str | None, *types: type[str] | type[int] | type[UUID]) -> tuple[Any, ...] | None:
    """The sort key, one value of each of `types`, a UUID as its text; None for the first page. Raises ProblemError 422 for any other
    text."""
    if cursor is None:
        return None
    try:
        key = orjson.loads(urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        key = None
    written = [str if one is UUID else one for one in types]
    if not isinstance(key, list) or [type(part) for part in key] != written or storable(key) != key:
        raise invalid_query("cursor", NO_CURSOR)
    try:
        return tuple(str(UUID(part)) if one is UUID else part for part, one in zip(key, types, strict=True))
    except ValueError:
        raise invalid_query("cursor", NO_CURSOR) from None


def page_limit(limit: int | str | None) -> int:
    """How many items a page has. Raises ProblemError 422 outside 1 to 200."""
    try:
        wanted = DEFAULT_LIMIT if limit is None else int(limit)
    except ValueError:
        wanted = 0
    if not 1 <= wanted <= MAX_LIMIT:
        raise invalid_query("limit", f"1 to {MAX_LIMIT}.")
    return wanted


def page(rows: Sequence[Any], limit: int, key: Any) -> tuple[Sequence[Any], str | None]:
    """Of `limit + 1` rows that were fetched: the page, and its `next`. `key(row)` gives the sort key as a tuple."""
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], encode_cursor(*key(rows[limit - 1]))
