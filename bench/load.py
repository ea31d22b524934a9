"""Load from a compiled client (pyreqwest), so that the generator does not limit the figures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pyreqwest.client import ClientBuilder

Body = Callable[[int], bytes]


@dataclass(slots=True)
class Outcome:
    """What a load run saw. `sent_at` is time.monotonic() by the id that `name_of` read from the answer."""

    done: int = 0
    failed: int = 0
    seconds: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    sent_at: dict[str, float] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        return self.done / self.seconds


class Load:
    """POSTs `body(i)` to one URL. `name_of` takes the event's id out of an answer; without it none is kept."""

    def __init__(
        self, url: str, headers: Mapping[str, str], body: Body, name_of: Callable[[bytes], str] | None = None
    ) -> None:
        self._url, self._headers, self._body, self._name_of = url, dict(headers), body, name_of
        self._client = ClientBuilder().no_proxy().http1_only().max_connections(256).runtime_multithreaded(False).build()
        self._next = 0

    async def close(self) -> None:
        await self._client.close()

    async def as_fast_as_it_goes(self, seconds: float, in_flight: int = 64) -> Outcome:
        """A closed loop: each of `in_flight` workers posts again as soon as it has its answer."""
        outcome, start = Outcome(), time.monotonic()

        async def worker() -> None:
            while time.monotonic() - start < seconds:
                await self._post(outcome)

        await asyncio.gather(*(worker() for _ in range(in_flight)))
        outcome.seconds = time.monotonic() - start
        return outcome

    async def as_many_as(self, count: int, in_flight: int = 64) -> Outcome:
        """The same, until so many were posted."""
        outcome, start, left = Outcome(), time.monotonic(), iter(range(count))

        async def worker() -> None:
            for _ in left:
                await self._post(outcome)

        await asyncio.gather(*(worker() for _ in range(in_flight)))
        outcome.seconds = time.monotonic() - start
        return outcome

    async def at_rate(self, per_second: float, seconds: float) -> Outcome:
        """An open loop: posts leave on time whether or not earlier ones were answered."""
        outcome, start = Outcome(), time.monotonic()
        async with asyncio.TaskGroup() as posts:
            for i in range(int(per_second * seconds)):
                due = start + i / per_second
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                posts.create_task(self._post(outcome))
        outcome.seconds = time.monotonic() - start
        return outcome

    async def _post(self, outcome: Outcome) -> None:
        number, self._next = self._next, self._next + 1
        begun = time.monotonic()
        request = self._client.post(self._url).headers(self._headers).body_bytes(self._body(number)).build()
        answer = await request.send()
        content = bytes(await answer.bytes())
        outcome.latencies_ms.append((time.monotonic() - begun) * 1000)
        if not 200 <= answer.status < 300:
            outcome.failed += 1
            return
        outcome.done += 1
        if self._name_of:
            outcome.sent_at[self._name_of(content)] = begun
