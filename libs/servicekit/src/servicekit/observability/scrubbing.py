"""Takes credentials out of text before it is logged or stored."""

from __future__ import annotations

import re

HIDDEN = "[hidden]"

_NAMES = (
    "authorization|proxy-authorization|cookie|set-cookie|password|passwd|secret|secret_token|client_secret"
    "|token|access_token|refresh_token|admin_token|api_key|apikey|kek|link_key"
)
_PATTERNS = (
    r"(?P<swh>swh_)[0-9A-Za-z_]{16,}",
    r"(?P<whsec>whsec_)[0-9A-Za-z+/=_-]{8,}",
    r"(?P<bot>\bbot\d{3,}:)[0-9A-Za-z_%-]{8,}",
    r"(?P<telegram>\b\d{6,}:)[0-9A-Za-z_-]{30,}",
    r"(?P<scheme>\b(?:bearer|basic)\s+)[^\s\"'\\,;]{6,}",
    r"(?P<path>/v1/(?:w|r|media)/)[0-9A-Za-z_=-]{16,}",
    r"(?P<inbound>/v1/in/[0-9A-Za-z-]+/)[0-9A-Za-z_=-]{8,}",
    r"(?P<userinfo>\w://[^\s/:@\"']*:)[^\s/@\"']+(?=@)",
    rf"(?P<field>[\"'](?:{_NAMES})[\"']\s*[:,]\s*b?[\"'])(?:[^\"'\\]|\\.)+",
    rf"(?P<escaped>\\\"(?:{_NAMES})\\\"\s*:\s*\\\")[^\"\\]+",
    rf"(?P<pair>\b(?:{_NAMES})=)[^\s&\"'\\,;]+",
    r"(?P<header>\b(?:authorization|cookie|set-cookie): ?)(?![\"'\[])[^\r\n\"'\\]+",
)
_SECRET = re.compile("|".join(_PATTERNS), re.IGNORECASE)


_MARKS = (
    "swh_", "whsec_", "bearer", "basic", "/v1/", "://", "authorization", "cookie", "passw", "secret", "token",
    "api_key", "apikey", "kek", "link_key",
)  # fmt: skip
_DIGITS = re.compile(r"(?<!\d)\d{3,}:[0-9A-Za-z_%-]{8}")
"""With the marks: what any pattern needs. Most lines have none of it, and the look is 50 times cheaper than the search."""


def scrub(text: str) -> str:
    """`text` with what follows the mark of a credential replaced: tokens, signing secrets, bot tokens in paths,
    authorisation headers, passwords in URLs, values of fields that are named like secrets.
    """
    lower = text.lower()
    if not any(mark in lower for mark in _MARKS) and not _DIGITS.search(text):
        return text
    return _SECRET.sub(_hide, text)


def _hide(found: re.Match[str]) -> str:
    return (found.group(found.lastgroup) if found.lastgroup else "") + HIDDEN
