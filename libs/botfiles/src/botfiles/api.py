"""The public API, as apply and export call it: one token, retries that cannot do a thing twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, NamedTuple, Self
from uuid import uuid4

import httpx

from botfiles.errors import CannotGoOn

ATTEMPTS = 5
AGAIN = frozenset({429, 502, 503, 504})
LONGEST_WAIT = 30.0
TIMEOUT = 30.0


class ApiRefusal(Exception):
    """The API refused one thing; the text is what it said."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status


class Answer(NamedTuple):
    """`body` None: there was none."""

    body: Any
    etag: str


class Api:
    """Calls with one token; with `project` it is the operator's, who acts for that project. `sleep` takes seconds."""

    def __init__(
        self,
        url: str,
        token: str,
        project: str | None = None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = httpx.AsyncClient(
            base_url=url,
            headers={"authorization": f"Bearer {token}"},
            params={"project": project} if project else None,
            timeout=TIMEOUT,
            transport=transport,
        )
        self._sleep = sleep

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def get(self, path: str, **query: str) -> Answer:
        """Raises ApiRefusal, and CannotGoOn when nobody answers or the token is not good."""
        return await self._call("GET", path, None, {}, query)

    async def post(self, path: str, body: Any = None, *, etag: str = "") -> Answer:
        """As `get`. A repeat after a lost answer is answered as the first one was."""
        return await self._call("POST", path, body, {"idempotency-key": str(uuid4()), **_if_match(etag)}, {})

    async def change(self, method: str, path: str, body: Any = None, *, etag: str) -> Answer:
        """PUT, PATCH or DELETE of what still has this ETag. As `get`; ApiRefusal 412 when it has another one."""
        return await self._call(method, path, body, _if_match(etag), {})

    async def items(self, path: str, **query: str) -> list[Any]:
        """Of all pages of a list."""
        found: list[Any] = []
        query["limit"] = "200"
        while True:
            page = (await self.get(path, **query)).body
            found += page["items"]
            if page["next"] is None:
                return found
            query["cursor"] = page["next"]

    async def _call(self, method: str, path: str, body: Any, headers: dict[str, str], query: dict[str, str]) -> Answer:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = await self._client.request(method, path, json=body, headers=headers, params=query)
            except httpx.TransportError as error:
                if attempt == ATTEMPTS:
                    raise CannotGoOn(
                        f"{self._client.base_url} does not answer: {error or type(error).__name__}"
                    ) from error
                await self._sleep(float(attempt))
                continue
            if answer.status_code not in AGAIN or attempt == ATTEMPTS:
                return _read(answer)
            await self._sleep(_wait(answer, attempt))
        raise AssertionError("the last attempt returns or raises")


def _if_match(etag: str) -> dict[str, str]:
    return {"if-match": etag} if etag else {}


def _wait(answer: httpx.Response, attempt: int) -> float:
    told = answer.headers.get("retry-after", "")
    return min(float(told), LONGEST_WAIT) if told.isdigit() else float(attempt)


def _read(answer: httpx.Response) -> Answer:
    if answer.is_success:
        return Answer(answer.json() if answer.content else None, answer.headers.get("etag", ""))
    said = _said(answer)
    if answer.status_code in (401, 403):
        raise CannotGoOn(f"the token was refused: {said}")
    if answer.status_code in AGAIN:
        raise CannotGoOn(f"the registry is not ready: {said}")
    raise ApiRefusal(answer.status_code, said)


def _said(answer: httpx.Response) -> str:
    """The problem's sentence, and those of its fields."""
    try:
        problem = answer.json()
        sentences = [problem.get("detail") or problem.get("title") or ""]
        sentences += [f"{each['pointer']}: {each['detail']}" for each in problem.get("errors", ())]
    except (ValueError, AttributeError, KeyError, TypeError):
        return f"{answer.status_code} {answer.text[:500]}"
    return f"{answer.status_code} {'; '.join(dict.fromkeys(filter(None, sentences)))}"
