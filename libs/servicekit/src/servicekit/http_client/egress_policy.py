"""Where outgoing requests may go. Pure: the address that is connected to is judged, never the text of a URL.

Python's own `is_global` is wrong for our purpose in a dozen places (NAT64, 6to4, compat, multicast, cloud wire servers),
so IPv6 is decided by what is left of 2000::/3, and IPv4 by `is_global` minus a list. Networks that the operator names in
SWITCHHOOK_ALLOWED_NETWORKS may be reached although they are not public, by plain http and on any port too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal, NamedTuple

from yarl import URL

from servicekit.settings import Network

Address = IPv4Address | IPv6Address
Rule = Literal["url", "scheme", "userinfo", "host", "port", "address", "header"]
"""Why a request is refused before anything is sent."""

PORTS = frozenset({80, 443, 8443})
"""Ports of public addresses."""
URL_LIMIT = 4096

_NOT_PUBLIC_V4 = tuple(
    map(IPv4Network, ("100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "168.63.129.16/32"))
)
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
"""Teredo and other special uses, documentation, 6to4, documentation."""
_NAT64 = IPv6Network("64:ff9b::/96")

_NEVER = re.compile(r"[\x00-\x20\x7f-\xa0\\\u2028\u2029\ufeff]")
_HOST_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_ENDS_IN_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")


class UrlRefused(ValueError):
    """A URL is refused. `rule` says why; the message quotes nothing of the URL but its `host`, which is None where the text is
    refused wherever it leads. `address`: that of the host, for the operator's log alone."""

    def __init__(self, rule: Rule, message: str, host: str | None = None, address: str | None = None) -> None:
        super().__init__(message)
        self.rule, self.host, self.address = rule, host, address


class Target(NamedTuple):
    """A URL that was accepted. `literal` is the address when the host is one.

    `public` False: plain http or another port, so every address must lie in an allowed network.
    """

    url: URL
    host: str
    literal: Address | None
    public: bool


def allowed(address: str | Address, networks: Iterable[Network] = (), *, public: bool = True) -> bool:
    """Whether this address may be connected to. `public` False: only if an allowed network holds it."""
    try:
        found = plain(ip_address(address) if isinstance(address, str) else address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.scope_id is not None:
        return False
    return any(found in network for network in networks) or (public and is_public(found))


def plain(address: Address) -> Address:
    """The IPv4 address inside a mapped or NAT64 one, which is where the packets go; any other as it is."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.scope_id is None and address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_public(address: Address) -> bool:
    """Whether an address (unwrapped by `plain`) belongs to the public Internet."""
    if isinstance(address, IPv4Address):
        special = address.is_multicast or any(address in network for network in _NOT_PUBLIC_V4)
        return address.is_global and not special
    return address in _GLOBAL_UNICAST and not any(address in network for network in _NOT_PUBLIC_V6)


@lru_cache(maxsize=4096)
def check_url(text: str) -> Target:
    """The target of a URL. Raises UrlRefused for what no setting allows: another scheme, user info, a host that is no
    name and no canonical address, white space and control characters.
    """
    if len(text) > URL_LIMIT or _NEVER.search(text):
        raise UrlRefused("url", "The URL is too long, or has white space, control characters or a backslash.")
    try:
        url = URL(text)  # The parser that connects is the parser that checks.
        port, host = url.port, (url.raw_host or "").lower()
    except ValueError:
        raise UrlRefused("url", "This is not a URL.") from None
    if url.scheme not in ("http", "https"):
        raise UrlRefused("scheme", "Only https (and http to allowed networks).")
    if "@" in url.raw_authority:
        raise UrlRefused("userinfo", "No user name or password in a URL; use a header.")
    if port is None or not 0 < port < 65536:
        raise UrlRefused("port", "The port is not a port.")
    host, literal = _host(host)
    if literal is None:
        url = url.with_host(host)
    return Target(url.with_fragment(None), host, literal, url.scheme == "https" and port in PORTS)


def _host(host: str) -> tuple[str, Address | None]:
    try:
        return host, ip_address(host)
    except ValueError:
        name = host.removesuffix(".")
    if len(name) > 253 or not _HOST_NAME.fullmatch(name) or _ENDS_IN_NUMBER.fullmatch(name):
        raise UrlRefused("host", "The host is neither a name nor an address in its usual form.")
    return name, None
