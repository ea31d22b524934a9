"""A small client of the public API, for seeding, the demo, benches and chaos."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

import httpx

from operations.errors import CommandError


class Api:
    """Calls with one token. With `project`, the token is the operator's and acts for that project.

    `tls`: what the server's certificate is checked with, True for what this machine trusts.
    """

    def __init__(
        self, base_url: str, token: str, project: str | None = None, *, tls: ssl.SSLContext | bool = True
    ) -> None:
        self._client = httpx.AsyncClient(
            base_url=base_url,
            headers={"authorization": f"Bearer {token}"},
            params={"project": project} if project else None,
            timeout=30,
            trust_env=False,
            verify=tls,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """The decoded answer, None when it is empty. CommandError with the problem's words on anything but 2xx."""
        answer = await self._client.request(method, path, json=body)
        if not answer.is_success:
            raise CommandError(f"{method} {path} was answered {answer.status_code}: {answer.text[:2000]}")
        return answer.json() if answer.content else None

    async def post(self, path: str, body: Any = None) -> Any:
        """`call` with POST."""
        return await self.call("POST", path, body)

    async def get(self, path: str) -> Any:
        """`call` with GET."""
        return await self.call("GET", path)

    async def delete(self, path: str) -> Any:
        """`call` with DELETE."""
        return await self.call("DELETE", path)

    async def delete_if_there(self, path: str) -> bool:
        """`call` with DELETE; False where it is answered 404."""
        answer = await self._client.request("DELETE", path)
        if not answer.is_success and answer.status_code != httpx.codes.NOT_FOUND:
            raise CommandError(f"DELETE {path} was answered {answer.status_code}: {answer.text[:2000]}")
        return answer.is_success

    async def publish_flow(self, bot: str, document: dict[str, Any] | str) -> dict[str, Any]:
        """Save a flow and publish it: the flow as created. CommandError names the problems that stop it."""
        flow: dict[str, Any] = await self.post("/v1/flows", {"bot": bot, "document": document})
        await self.post(f"/v1/flows/{flow['id']}/publish")
        return flow


async def items(api: Api, path: str) -> AsyncIterator[dict[str, Any]]:
    """Of all pages of a list; `path` has a query already."""
    following: str | None = ""
    while following is not None:
        page = await api.get(f"{path}&cursor={following}" if following else path)
        for item in page["items"]:
            yield item
        following = page["next"]
