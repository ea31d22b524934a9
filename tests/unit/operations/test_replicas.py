"""A URL whose name has several addresses is several replicas."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from operations.replicas import replicas_of

FOUR, SIX = socket.AF_INET, socket.AF_INET6
ADDRESSES = {
    "one": [(FOUR, "10.0.0.1")],
    "both": [(SIX, "::1"), (FOUR, "127.0.0.1")],
    "two": [(FOUR, "10.0.0.2"), (FOUR, "10.0.0.1")],
    "two-of-six": [(SIX, "fd00::1"), (SIX, "fd00::2")],
}


@pytest.fixture(autouse=True)
async def names(monkeypatch: pytest.MonkeyPatch) -> None:
    async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        if host not in ADDRESSES:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(family, 1, 6, "", (address, port)) for family, address in ADDRESSES[host]]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize(
    ("url", "replicas"),
    [
        ("http://one:8080", {"engine": "http://one:8080"}),
        ("http://both:8080", {"engine": "http://both:8080"}),
        ("http://nobody:8080", {"engine": "http://nobody:8080"}),
        ("https://two:8080", {"engine": "https://two:8080"}),
        (
            "http://two:8080",
            {"engine at 10.0.0.1": "http://10.0.0.1:8080", "engine at 10.0.0.2": "http://10.0.0.2:8080"},
        ),
        (
            "http://two-of-six:8080",
            {"engine at fd00::1": "http://[fd00::1]:8080", "engine at fd00::2": "http://[fd00::2]:8080"},
        ),
    ],
)
async def test_each_address_of_a_name_is_a_replica(url: str, replicas: dict[str, str]) -> None:
    assert await replicas_of({"engine": url}) == replicas
