"""An import of contacts whose two streams are open at once, by a client of HTTP/1.1."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson


async def import_by_turns(base_url: str, headers: dict[str, str], tls: ssl.SSLContext | bool = True) -> None:
    """Each of three lines is sent when the one before it has been reported, which whoever is between lets through at once."""
    reports = asyncio.Queue[dict[str, Any]]()
    told: list[dict[str, Any]] = []

    async def lines() -> AsyncIterator[bytes]:
        for points in range(3):
            yield orjson.dumps({"external_id": "4712", "variables": {"points": points}}) + b"\n"
            async with asyncio.timeout(10):
                told.append(await reports.get())

    url = f"{base_url}/v1/contacts/import"
    async with aiohttp.ClientSession(headers=headers) as session, session.post(url, data=lines(), ssl=tls) as answer:
        async for line in answer.content:
            reports.put_nowait(orjson.loads(line))
    assert [one["line"] for one in told] == [1, 2, 3]
    assert len({one["id"] for one in told}) == 1
    assert reports.get_nowait() == {"lines": 3, "failed": 0}
