"""URLs that somebody wrote: what one has to be before a request goes there, or a visitor is sent there."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator

URL_LIMIT = 2048
USUAL_PORTS = {"https": 443, "http": 80}
MOST_ENCODINGS = 5
"""How often a path is decoded to see what it may become behind proxies."""


def web_url(text: str) -> str:
    """An absolute http(s) URL whose host is literal and which carries no credentials. Raises ValueError.

    So it leads where it reads as leading: `//host`, `javascript:…`, `https://shop.example\\@host` do not pass.
    """
    if len(text) > URL_LIMIT or re.search(r"[\x00-\x20\x7f\\]", text):
        raise ValueError(f"at most {URL_LIMIT} characters, none of them a space, a backslash or a control character")
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an absolute URL that begins with http:// or https://")
    if "@" in parts.netloc:
        raise ValueError("no user or password in a URL: use auth")
    if "{" in parts.netloc:
        raise ValueError("scheme, host and port are literal: no merge tags there")
    try:
        parts.port  # noqa: B018 (a property that raises)
    except ValueError:
        raise ValueError("the port is a number up to 65535") from None
    return text


def origin_of(url: str) -> str:
    """Where a request for it goes: scheme, host and port, `https://api.example.com`. Raises ValueError for no URL."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port if parts.port != USUAL_PORTS.get(parts.scheme) else None
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host.rstrip('.')}{f':{port}' if port else ''}"


def climbs(url: str) -> bool:
    """Whether its path has a `..`, plain or encoded, once or more often: it would lead to another path than it names."""
    if ".." not in url and "%" not in url:
        return False
    path = re.split(r"[?#]", url, maxsplit=1)[0].partition("://")[2].partition("/")[2]
    for _ in range(MOST_ENCODINGS):
        path = unquote(path)
    return any(part.partition(";")[0].strip("\0 \t\r\n") == ".." for part in re.split(r"[/\\]", path))


WebUrl = Annotated[str, AfterValidator(web_url)]
