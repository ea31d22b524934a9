"""Everything that the dispatcher calls: Bot APIs of the people's channels, and the endpoints of the tenants."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson
from multidict import CIMultiDict

from servicekit.http_client.guarded_http import Answer, Unreachable
from simulation.network import Network

BOTS = "bots-"
"""So the hosts of their Bot APIs begin."""
ONCE = "once"
"""A request with this in its body may not be made twice."""


@dataclass
class Host:
    """How one answers. `dead`: it takes no connection; `fails`: the share of 503s; `loses`: of answers that never come."""

    seconds: float = 0.0
    dead: bool = False
    fails: float = 0.0
    loses: float = 0.0


@dataclass
class Heard:
    """A request as its receiver got it."""

    at: float
    host: str
    path: str
    headers: dict[str, str]
    body: Any

    @property
    def is_answer(self) -> bool:
        """Whether it is a message to somebody who counts aloud."""
        return self.path.endswith("/sendMessage") and self.host.startswith(BOTS)


@dataclass
class Receivers:
    """All of them, and what they heard in order."""

    network: Network
    hosts: dict[str, Host] = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)
    once: Counter[str] = field(default_factory=Counter)
    """How often each request came that may not be made twice, whatever came of it."""

    def host(self, name: str) -> Host:
        """One that answers at once, until somebody makes it otherwise."""
        return self.hosts.setdefault(name, Host())

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Any,
        body: bytes | None,
        timeout: float,
        may_send: Callable[[], bool] | None = None,
        **_: Any,
    ) -> Answer:
        """In place of GuardedClient's."""
        place = urlsplit(url)
        host = self.host(place.hostname or "")
        if host.dead:
            await asyncio.sleep(min(timeout, 3.0))
            raise Unreachable("no connection", "timeout", sent=False)
        if may_send is not None and not may_send():
            raise Unreachable("withdrawn", "withdrawn", sent=False)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        heard = Heard(0.0, place.hostname or "", place.path, dict(headers or {}), _read(body))
        self.network.loop.later(self.network.latency(), self._arrived, host, heard, answer)
        try:
            async with asyncio.timeout(timeout):
                return await answer
        except TimeoutError:
            raise Unreachable("no answer", "timeout", sent=True) from None

    def _arrived(self, host: Host, heard: Heard, answer: asyncio.Future[Answer]) -> None:
        heard.at = self.network.loop.time()
        if isinstance(heard.body, dict) and ONCE in heard.body:
            self.once[heard.body[ONCE]] += 1
        failing = host.fails and self.network.happens(host.fails)
        self.network.trace(f"{heard.host}{heard.path} {'503' if failing else '200'} {_short(heard)}")
        if not failing:
            self.heard.append(heard)
        if not (host.loses and self.network.happens(host.loses)):
            made = Answer(503, CIMultiDict(), b"", 1) if failing else _answer(heard)
            self.network.loop.later(host.seconds + self.network.latency(), _deliver, answer, made)


def _deliver(answer: asyncio.Future[Answer], made: Answer) -> None:
    if not answer.done():
        answer.set_result(made)


def _answer(heard: Heard) -> Answer:
    told = {"ok": True, "result": {"message_id": 1}, "memory": {"looked": "up"}}
    return Answer(200, CIMultiDict({"content-type": "application/json"}), orjson.dumps(told), 1)


def _read(body: bytes | None) -> Any:
    try:
        return orjson.loads(body or b"null")
    except orjson.JSONDecodeError:
        return body


def _short(heard: Heard) -> str:
    body = heard.body if isinstance(heard.body, dict) else {}
    return f"{body.get('chat_id', '')} {body.get('text', body.get('type', ''))}"
