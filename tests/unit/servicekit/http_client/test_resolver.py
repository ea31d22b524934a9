"""A project whose names nobody answers for keeps no other project from its own."""

from __future__ import annotations

import asyncio

import pytest

from servicekit.http_client import resolver
from servicekit.http_client.resolver import THREADS, Names
from support.waiting import eventually


class Dns:
    """Knows `known.example`; of other names it says nothing."""

    def __init__(self) -> None:
        self.silent = 0

    async def __call__(self, host: str) -> list[str]:
        if host != "known.example":
            self.silent += 1
            await asyncio.Event().wait()
        return ["192.0.2.1"]


async def test_silent_names_of_one_project_leave_threads_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    dns = Dns()
    names = Names(dns)
    asking = [asyncio.create_task(names.addresses(f"silent-{each}.example", "a")) for each in range(3 * THREADS)]
    await eventually(lambda: dns.silent == THREADS // 2)
    async with asyncio.timeout(15):
        assert await names.addresses("known.example", "b") == ["192.0.2.1"]
    assert dns.silent == THREADS // 2
    for each in asking:
        each.cancel()
    names.close()


async def test_who_gave_up_waiting_for_a_thread_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "LOOKUP_SECONDS", 0.05)
    dns = Dns()
    names = Names(dns)
    asking = [names.addresses(f"silent-{each}.example", "a") for each in range(THREADS)]
    failed = await asyncio.gather(*asking, return_exceptions=True)
    assert {type(each) for each in failed} == {TimeoutError}
    await eventually(lambda: len(names._running) == THREADS // 2)
    names.close()
