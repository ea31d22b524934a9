"""Tokens beside a restore: one that was revoked after the backup and one that was made after it have to be refused."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp

from devstack.stack import Stack
from operations.api import Api

SECONDS, LOOK_SECONDS = 30.0, 0.5
SCOPES = ["deliveries:read", "flows:execute"]
DOORS = (("GET", "/v1/deliveries"), ("POST", "/v1/signals"))
"""One of the dispatcher, one of ingress."""


class Tokens:
    """Of one project."""

    def __init__(self, stack: Stack, project: str) -> None:
        self._stack, self._project = stack, project
        self._made: dict[str, dict[str, Any]] = {}
        self._session = aiohttp.ClientSession()

    async def aclose(self) -> None:
        await self._session.close()

    async def made_before(self) -> None:
        """Before the backup: one that stays, one that will be revoked."""
        await self._make("kept", "revoked")

    async def changed_since(self) -> None:
        """After the backup."""
        await self._make("new")
        async with self._api() as api:
            await api.delete(f"/v1/tokens/{self._made['revoked']['id']}")

    async def wrong(self) -> str | None:
        """None once the one that stays is let in at each door and the others are refused; else what is not so."""
        deadline, found = time.monotonic() + SECONDS, await self._look()
        while found is not None and time.monotonic() < deadline:
            await asyncio.sleep(LOOK_SECONDS)
            found = await self._look()
        return found

    async def _look(self) -> str | None:
        for name, token in self._made.items():
            for method, path in DOORS:
                headers = {"authorization": f"Bearer {token['token']}"}
                async with self._session.request(method, self._stack.base_url + path, headers=headers) as answer:
                    if (answer.status == 401) != (name != "kept") or answer.status >= 500:
                        return f"a token that is {name} gets {answer.status} at {path}"
        return None

    async def _make(self, *names: str) -> None:
        async with self._api() as api:
            for name in names:
                self._made[name] = await api.post("/v1/tokens", {"name": name, "scopes": SCOPES})

    def _api(self) -> Api:
        return Api(self._stack.base_url, self._stack.secrets.admin_token, self._project)
