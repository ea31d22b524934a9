"""`url`: an address on the web."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import idna

from contracts.web_url import URL_LIMIT, web_url
from flowlang.building.compiler import Compiler
from flowlang.expressions.scopes import Scopes
from flowlang.inputs.base import Answer, Free, Input, Invalid, Reader, text_of

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class UrlInput(Input):
    """A web address, with or without `https://`. Keeps it whole, its host in lower case and ASCII."""

    type: Literal["url"]
    """A web address, with or without `https://`; it is kept whole, its host in lower case and ASCII."""

    def build(self, compiler: Compiler) -> Reader:
        return _UrlReader()


@dataclass(frozen=True, slots=True)
class _UrlReader(Free):
    def read(self, message: dict[str, Any], tapped: str | None, scopes: Scopes) -> Answer:
        text = text_of(message, URL_LIMIT)
        try:
            return Answer(_whole(text if _SCHEME.match(text) else f"https://{text}"))
        except ValueError as error:  # idna's errors are of this kind, too.
            raise Invalid("a web address is expected") from error


def _whole(text: str) -> str:
    """Raises ValueError when it is no public address."""
    parts = urlsplit(web_url(text))
    name = parts.hostname or ""
    port = "" if parts.port is None else f":{parts.port}"
    return parts._replace(netloc=f"{_host(name)}{port}").geturl()


def _host(name: str) -> str:
    if ":" in name:
        return f"[{ipaddress.IPv6Address(name)}]"
    host: str = idna.encode(name, uts46=True).decode()
    labels = host.split(".")
    if len(labels) < 2 or (labels[-1].isdigit() and not ipaddress.IPv4Address(host)):
        raise ValueError("a host has a domain")
    return host
