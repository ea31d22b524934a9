"""The replicas of an installation: a URL whose name has several addresses is several of them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit


async def replicas_of(urls: Mapping[str, str]) -> dict[str, str]:
    """Replica -> the base URL of its own port, from `Installation.urls`.

    A name that has several addresses (a headless service, a scaled container) gives `name at address` for each of them. One
    that has none stays as it is: who asks it says so.
    """
    found: dict[str, str] = {}
    for name, url in urls.items():
        addresses = await _addresses(url)
        if len(addresses) > 1:
            found |= {f"{name} at {address}": _at(url, address) for address in addresses}
        else:
            found[name] = url
    return found


async def _addresses(url: str) -> list[str]:
    """Of IPv4 alone where there are any: a name for one machine has often one of each kind. None of a URL with TLS, whose
    certificate names no address."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        return []
    try:
        loop = asyncio.get_running_loop()
        told = await loop.getaddrinfo(parts.hostname, parts.port or 80, type=socket.SOCK_STREAM)
    except OSError:
        return []
    families = {family for family, *_ in told}
    chosen = socket.AF_INET if socket.AF_INET in families else socket.AF_INET6
    return sorted({str(address[0]) for family, _, _, _, address in told if family == chosen})


def _at(url: str, address: str) -> str:
    parts = urlsplit(url)
    host = f"[{address}]" if ":" in address else address
    return urlunsplit(parts._replace(netloc=f"{host}:{parts.port or 80}"))
