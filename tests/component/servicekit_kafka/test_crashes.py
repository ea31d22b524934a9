"""Two processes that die, freeze and lose answers while records pour in; and the same with a protection left out."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NamedTuple, TypeAlias

import asyncpg
import pytest

from servicekit.failpoints import BROKEN, CHAOS, FAILPOINTS
from support.ledger import produce
from support.ledger_worker import FOLLOWED
from support.stack import SESSION_SECONDS

MakeTopic = Callable[..., Awaitable[str]]
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
KEYS, RECORDS = 97, 400
"""How many there are, and how many records are produced at once."""
SETTLED_SECONDS = 1.0
"""What is written once too often is in the topic by then, and is read within this."""
POINTS = "in_txn,after_commit,mid_publish,after_publish"
KILLS = f"seed=1;kill=0.02@{POINTS};commit_unknown=0.02;publish_fails=0.005:1s"
ZOMBIES = "seed=1;calm=3s;freeze=0.3:4s@before_txn"
FREEZES = f"seed=1;freeze=0.01:4s@before_txn,{POINTS};kill=0.004@{POINTS}"


class Worker:
    """A process that is started again whenever it ends."""

    def __init__(self, arguments: list[str], env: dict[str, str]) -> None:
        self._arguments, self._env = arguments, env

    async def run(self, log: Path) -> None:
        tests = str(Path(__file__).parents[2])
        env = {**os.environ, **self._env, CHAOS: "1", "PYTHONPATH": tests}
        with log.open("ab") as out:
            while True:
                command = [sys.executable, "-m", "support.process", "support.ledger_worker", *self._arguments]
                process = await asyncio.create_subprocess_exec(*command, env=env, stdout=out, stderr=out)
                try:
                    await process.wait()
                finally:
                    if process.returncode is None:
                        process.kill()
                        await process.wait()


class Standing(NamedTuple):
    """How far both stages have come."""

    applied: int
    followed: int
    wrong: int
    """Records that did not follow the one before."""
    takeovers: int
    """How often a partition was taken, over both stages."""
    position: int
    unsent: int


STANDING = """
SELECT (SELECT coalesce(sum(turns), 0) FROM total), coalesce(sum(records), 0), coalesce(sum(wrong), 0),
       (SELECT coalesce(sum(epoch), 0) FROM checkpoint), (SELECT coalesce(sum(next_offset), 0) FROM checkpoint),
       (SELECT count(*) FROM outbox)
  FROM followed
"""


@contextlib.asynccontextmanager
async def working(workers: list[Worker], folder: Path) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(worker.run(folder / f"worker-{n}.log")) for n, worker in enumerate(workers)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def outcome_of(
    kafka: str, dsn: str, pool: Pool, topics: list[str], env: dict[str, str], folder: Path, rounds: int
) -> Standing:
    """Pour records in while two workers crash; then let two that do not crash finish."""
    await pool.execute(FOLLOWED)

    def workers(env: dict[str, str]) -> list[Worker]:
        return [Worker([kafka, dsn, *topics, name], env) for name in ("a", "b")]

    async with working(workers(env), folder):
        for _ in range(rounds):
            await produce(kafka, topics[0], [(f"k{n % KEYS}", 1) for n in range(RECORDS)])
            await asyncio.sleep(0.1)
    calm = {name: value for name, value in env.items() if name == BROKEN}
    async with working(workers(calm), folder):
        async with asyncio.timeout(150):
            await rest(pool, rounds * RECORDS)
    return await standing(pool)


async def rest(pool: Pool, produced: int) -> None:
    """Wait until nothing has changed for a while: a short one when all has come that should come at least; else as long as a
    worker takes to start on a busy machine, and to be given what one that died had."""
    seen, since = await standing(pool), time.monotonic()
    while True:
        enough = seen.unsent == 0 and min(seen.applied, seen.followed) >= produced
        if time.monotonic() - since > (SETTLED_SECONDS if enough else 5 * SESSION_SECONDS):
            return
        await asyncio.sleep(0.05)
        if (now := await standing(pool)) != seen:
            seen, since = now, time.monotonic()


async def standing(pool: Pool) -> Standing:
    row = await pool.fetchrow(STANDING)
    assert row is not None
    return Standing(*map(int, row))


@pytest.fixture
async def topics(make_topic: MakeTopic) -> list[str]:
    return [await make_topic("in", partitions=4), await make_topic("mid", partitions=4)]


@pytest.mark.seconds(180)  # Some twenty crashes, each with the time-out of a session behind it.
@pytest.mark.parametrize(("faults", "rounds"), [(KILLS, 60), (FREEZES, 150)], ids=["kills", "freezes"])
async def test_nothing_is_lost_repeated_or_misplaced(
    kafka: str, database: str, pool: Pool, topics: list[str], tmp_path: Path, faults: str, rounds: int
) -> None:
    got = await outcome_of(kafka, database, pool, topics, {FAILPOINTS: faults}, tmp_path, rounds)
    assert got.takeovers >= 20, "the run had no power"
    assert (got.applied, got.followed, got.wrong) == (rounds * RECORDS, rounds * RECORDS, 0), got


@pytest.mark.slow
@pytest.mark.parametrize(
    ("broken", "faults", "rounds"), [("outbox", KILLS, 60), ("fence", ZOMBIES, 200), ("dedupe", KILLS, 60)]
)
async def test_a_protection_that_is_left_out_is_noticed(
    kafka: str, database: str, pool: Pool, topics: list[str], tmp_path: Path, broken: str, faults: str, rounds: int
) -> None:
    env = {FAILPOINTS: faults, BROKEN: broken}
    got = await outcome_of(kafka, database, pool, topics, env, tmp_path, rounds)
    assert (got.applied, got.followed, got.wrong) != (rounds * RECORDS, rounds * RECORDS, 0), got
