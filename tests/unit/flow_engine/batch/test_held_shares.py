"""What is asked of projects in held conversations, by batches that are loaded at the same time."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from flow_engine.batch.held_shares import MOST_BYTES, HeldShares
from flow_engine.store.port import Reads


class Store:
    """Answers when it is told to."""

    def __init__(self, size: int) -> None:
        self.size, self.asked, self.answers = size, list[str](), asyncio.Event()

    async def held_size(self, project: str) -> int:
        self.asked.append(project)
        await self.answers.wait()
        return self.size


def look(shares: HeldShares, store: Store) -> asyncio.Task[Any]:
    return asyncio.create_task(shares.look(cast(Reads, store), ["p"]))


async def test_batches_that_look_at_the_same_time_both_hear_that_nothing_waits_any_more() -> None:
    shares, store = HeldShares(), Store(0)
    shares.note(["p"])
    both = look(shares, store), look(shares, store)
    await asyncio.sleep(0)
    store.answers.set()
    await asyncio.gather(*both)
    assert shares.full == frozenset()
    shares.note(["p"])
    store.size = MOST_BYTES + 1
    await look(shares, store)
    assert shares.full == {"p"}
