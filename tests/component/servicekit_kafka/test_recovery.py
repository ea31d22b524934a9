"""What the loop does when a result is not known to be good: nothing lost, nothing twice, nothing out of order.

Each test fails when the rule it is about is taken out; the ones with `broken` prove that themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias
from uuid import uuid4

import asyncpg
import pytest

from servicekit.checkpoints import fence, transactions
from servicekit.kafka.records import Outgoing, pack_outgoing
from servicekit.loop import preparation, recovery
from servicekit.loop.partition_loop import Fatal
from support.ledger import Ledger, make_loop, produce, read_all, rows, running, sources, turns, without_repeats
from support.stack import SESSION_SECONDS
from support.topics import set_topic
from support.waiting import eventually

MakeTopic = Callable[..., Awaitable[str]]
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


@contextmanager
def striking(monkeypatch: pytest.MonkeyPatch, module: object, point: str, times: int) -> Iterator[list[int]]:
    """The failpoint acts so many times."""
    struck: list[int] = []

    def strikes(name: str) -> bool:
        if name == point and len(struck) < times:
            struck.append(1)
            return True
        return False

    with monkeypatch.context() as patch:
        patch.setattr(module, "strikes", strikes)
        yield struck


async def has(pool: Pool, count: int) -> bool:
    return await turns(pool) == count


async def nothing_unsent(pool: Pool) -> bool:
    return await rows(pool) == 0


async def test_a_commit_whose_answer_is_lost_is_neither_lost_nor_repeated(
    kafka: str, pool: Pool, make_topic: MakeTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic, out = await make_topic("in", partitions=2), await make_topic("out", partitions=2)
    ledger = Ledger(topic, out, pool)
    loop = make_loop(ledger, kafka)
    async with running(loop):
        await loop.settled()
        assigned = list(ledger.assigned)
        with striking(monkeypatch, transactions, "commit_unknown", 3) as struck:
            for _ in range(10):
                await produce(kafka, topic, [(f"k{n}", 1) for n in range(40)])
            await eventually(lambda: has(pool, 400))
            await eventually(lambda: nothing_unsent(pool))
        assert len(struck) == 3
        assert len(ledger.assigned) > len(assigned), "the partitions were taken again, without a rebalance"
    records = await read_all(kafka, out)
    assert len(set(sources(records))) == 400
    assert len(without_repeats(records)) == 400, "in order, but for repeats"


async def test_a_topic_that_refuses_for_a_while_leaves_no_gap(kafka: str, pool: Pool, make_topic: MakeTopic) -> None:
    topic, out = await make_topic("in"), await make_topic("out")
    loop = make_loop(Ledger(topic, out, pool), kafka)
    async with running(loop):
        await produce(kafka, topic, [("k", 1)] * 50)
        await eventually(lambda: has(pool, 50))
        await set_limit(kafka, out, 80)  # Less than any record batch.
        producing = asyncio.create_task(produce_slowly(kafka, topic, 20))
        await eventually(lambda: unsent_at_least(pool, 1))
        await producing
        assert loop.assigned == set(), "held until Kafka takes what is committed"
        await set_limit(kafka, out, 1 << 20)
        await eventually(lambda: has(pool, 250), seconds=20)
        await eventually(lambda: nothing_unsent(pool))
    records = await read_all(kafka, out)
    assert len(without_repeats(records)) == len(set(sources(records))) == 250


async def test_at_most_four_batches_are_committed_and_unacknowledged(
    kafka: str, pool: Pool, make_topic: MakeTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic, out = await make_topic("in"), await make_topic("out")
    loop = make_loop(Ledger(topic, out, pool), kafka, max_records=10)
    held: list[asyncio.Future[None]] = []
    real = loop._publisher.enqueue

    def never_acknowledged(records: list[Outgoing]) -> asyncio.Future[None]:
        held.append(asyncio.get_running_loop().create_future())
        return held[-1]

    async with running(loop):
        await loop.settled()
        monkeypatch.setattr(loop._publisher, "enqueue", never_acknowledged)
        await produce(kafka, topic, [("k", 1)] * 100)
        await eventually(lambda: has(pool, 40))
        await asyncio.sleep(0.5)
        assert await turns(pool) == 40
        assert await rows(pool) == 4
        monkeypatch.setattr(loop._publisher, "enqueue", real)
        for future in held:
            future.set_exception(ConnectionError("Kafka is gone"))
        await eventually(lambda: has(pool, 100))
        await eventually(lambda: nothing_unsent(pool))
    records = await read_all(kafka, out)
    assert sources(without_repeats(records)) == [(0, n) for n in range(100)]


@pytest.mark.parametrize("broken", [False, True])
async def test_the_next_owner_publishes_what_the_last_one_committed_while_it_was_waited_for(
    kafka: str, pool: Pool, make_topic: MakeTopic, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """Raising the epoch waits for the previous owner's transaction, and must then see its outbox row (guarantees.md 2.1)."""
    if broken:
        monkeypatch.setattr(recovery, "broken", lambda protection: protection == "outbox")
    topic, out = await make_topic("in"), await make_topic("out")
    await produce(kafka, topic, [("k", 1)] * 30)
    owner = uuid4()
    async with pool.acquire() as dying:
        hold = await fence.create(dying, topic, 0, owner, start=0, partitions=1)
        transaction = dying.transaction()
        await transaction.start()
        said = [
            Outgoing(
                out,
                b"k",
                b"from the old owner",
                [("src-topic", b"x"), ("src-partition", b"0"), ("src-offset", b"9"), ("src-index", b"0")],
            )
        ]
        move = fence.CheckpointMove(hold, 0, 10, None, None, pack_outgoing(said))
        assert await fence.advance(dying, topic, [move], []) == {0}
        loop = make_loop(Ledger(topic, out, pool), kafka)
        async with running(loop):
            await eventually(lambda: waits_for_a_lock(pool))
            await transaction.commit()
            await eventually(lambda: has(pool, 20))
    values = [record.value for record in await read_all(kafka, out)]
    assert (b"from the old owner" in values) is not broken
    if not broken:
        assert values[0] == b"from the old owner"


@pytest.mark.parametrize("broken", [False, True])
async def test_an_owner_that_was_overtaken_writes_nothing(
    kafka: str, pool: Pool, make_topic: MakeTopic, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    if broken:
        monkeypatch.setattr(fence, "broken", lambda protection: protection == "fence")
    topic, out = await make_topic("in"), await make_topic("out")
    ledger = Ledger(topic, out, pool)
    loop = make_loop(ledger, kafka)
    with contextlib.nullcontext() if broken else pytest.raises(Fatal):
        async with running(loop) as task:
            await loop.settled()
            ledger.gate.clear()
            await produce(kafka, topic, [("k", 1)] * 5)
            await eventually(lambda: len(ledger.sizes) > 0)
            async with pool.acquire() as other:
                assert await fence.bump(other, topic, 0, uuid4(), predecessors=None) is not None
            ledger.gate.set()
            await _ended_or_written(task, pool, broken, time.monotonic())
    if not broken:
        assert await turns(pool) == 0
        assert await read_all(kafka, out) == []


async def _ended_or_written(task: asyncio.Task[None], pool: Pool, written: bool, since: float) -> None:
    """The loop ends itself without having written, or, where a protection is broken, writes all five."""

    async def over() -> bool:
        return task.done() or await has(pool, 5)

    await eventually(over)
    assert await has(pool, 5) is written, "what an overtaken owner writes"
    assert written or time.monotonic() - since > 0.8 * SESSION_SECONDS, "a new assignment would have been enough"


@pytest.mark.parametrize("cause", ["publish", "assignment"])
async def test_a_partition_begins_anew_only_when_no_batch_of_it_is_in_hand(
    kafka: str, pool: Pool, make_topic: MakeTopic, cause: str
) -> None:
    """Else what that batch does in the handler's memory undoes what `on_assigned` has just read, and is then fenced."""
    topic, out = await make_topic("in"), await make_topic("out")
    ledger = Ledger(topic, out, pool)
    loop = make_loop(ledger, kafka)
    async with running(loop):
        await loop.settled()
        ledger.gate.clear()
        await produce(kafka, topic, [("k", 1)] * 10)
        await eventually(lambda: ledger.sizes)
        assigned = len(ledger.assigned)
        if cause == "assignment":
            loop._assignment.take_on({0}, topic)
        else:
            loop._assignment.recover(loop._assignment.partitions[0], cause)
        try:
            with pytest.raises(AssertionError, match="not within"):
                await eventually(lambda: len(ledger.assigned) > assigned, seconds=0.5)
        finally:
            ledger.gate.set()
        await eventually(lambda: has(pool, 10))
        await eventually(lambda: len(ledger.assigned) > assigned)
        await eventually(lambda: nothing_unsent(pool))
    records = await read_all(kafka, out)
    assert sources(without_repeats(records)) == [(0, n) for n in range(10)]


async def test_a_transaction_of_its_own_goes_on_under_the_hold_that_fenced_it(
    kafka: str, pool: Pool, make_topic: MakeTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The partition is this process's all the same: who hears that it is not lets go of what `on_assigned` told him."""
    topic = await make_topic("in")
    loop, lock, saved = make_loop(Ledger(topic, topic, pool), kafka), fence.lock, list[int]()

    async def assigned_anew(connection: asyncpg.Connection[asyncpg.Record], topic: str, hold: fence.Hold) -> bool:
        monkeypatch.setattr(fence, "lock", lock)
        loop._assignment.take_on({0}, topic)
        await loop._assignment.partitions[0].taken.wait()
        return await lock(connection, topic, hold)

    async def save(_: object) -> list[Outgoing]:
        saved.append(1)
        return []

    async with running(loop):
        await loop.settled()
        monkeypatch.setattr(fence, "lock", assigned_anew)
        assert await loop.transact(0, save)
        assert saved == [1]


async def test_a_transaction_of_its_own_that_waits_goes_on_in_the_next_assignment(
    kafka: str, pool: Pool, make_topic: MakeTopic
) -> None:
    topic, out = await make_topic("in"), await make_topic("out")
    ledger = Ledger(topic, out, pool)
    loop = make_loop(ledger, kafka)

    async def save(_: object) -> list[Outgoing]:
        return []

    async with running(loop):
        await loop.settled()
        ledger.gate.clear()
        await produce(kafka, topic, [("k", 1)])
        await eventually(lambda: ledger.sizes)
        loop._assignment.recover(loop._assignment.partitions[0], "publish")
        waiting = asyncio.create_task(loop.transact(0, save))
        await asyncio.sleep(0)
        loop._assignment.take_on({0}, topic)
        ledger.gate.set()
        assert await waiting


async def test_a_transaction_of_its_own_is_fenced_too(kafka: str, pool: Pool, make_topic: MakeTopic) -> None:
    topic, out = await make_topic("in"), await make_topic("out")
    loop = make_loop(Ledger(topic, out, pool), kafka, session_timeout=30)

    async def save(connection: object) -> list[Outgoing]:
        return [Outgoing(out, b"k", b"x", [])]

    async with running(loop):
        await loop.settled()
        async with pool.acquire() as other:
            await fence.bump(other, topic, 0, uuid4(), predecessors=None)
        assert not await loop.transact(0, save)
        assert loop.assigned == set()
    assert await read_all(kafka, out) == []


@pytest.mark.parametrize("broken", [False, True])
async def test_a_repeat_is_known_by_its_source_and_not_applied(
    kafka: str, pool: Pool, make_topic: MakeTopic, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    if broken:
        monkeypatch.setattr(fence, "broken", lambda protection: protection == "dedupe")
    topic, out = await make_topic("in"), await make_topic("out")

    def source(partition: int, offset: int, index: int) -> list[tuple[str, bytes]]:
        return [
            ("src-topic", b"t"),
            ("src-partition", b"%d" % partition),
            ("src-offset", b"%d" % offset),
            ("src-index", b"%d" % index),
        ]

    fresh = [(0, 5, 0), (0, 5, 1), (1, 5, 0), (0, 7, 0)]
    repeats = [(0, 5, 1), (0, 7, 0), (0, 6, 3), (1, 5, 0)]
    loop = make_loop(Ledger(topic, out, pool), kafka)
    async with running(loop):
        for one in fresh:
            await produce(kafka, topic, [("k", 1)], headers=source(*one))
        await eventually(lambda: has(pool, 4))
    async with running(make_loop(Ledger(topic, out, pool), kafka)):
        for one in repeats:
            await produce(kafka, topic, [("k", 1)], headers=source(*one))
        await produce(kafka, topic, [("last", 1)])
        await eventually(lambda: pool.fetchval("SELECT turns FROM total WHERE key = 'last'"))
        assert await turns(pool) == (9 if broken else 5)


async def test_the_source_headers_rise_within_a_source_partition(kafka: str, pool: Pool, make_topic: MakeTopic) -> None:
    topic, out = await make_topic("in", partitions=2), await make_topic("out", partitions=2)

    class Talkative(Ledger):
        async def apply(self, batch):  # type: ignore[no-untyped-def]
            commit = await super().apply(batch)
            commit.outgoing = [(record, said * 3) for record, said in commit.outgoing]
            return commit

    await produce(kafka, topic, [(f"k{n}", 1) for n in range(20)])
    async with running(make_loop(Talkative(topic, out, pool), kafka)):
        await eventually(lambda: has(pool, 20))
    records = await read_all(kafka, out)
    marks = [preparation.examine(record)[0] for record in records]
    assert [mark.ordinal for mark in marks if mark] == [0, 1, 2] * 20
    assert all(
        mark and mark.topic == topic and mark.partition == record.partition
        for mark, record in zip(marks, records, strict=True)
    )


async def unsent_at_least(pool: Pool, count: int) -> bool:
    return await rows(pool) >= count


async def waits_for_a_lock(pool: Pool) -> bool:
    found = await pool.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    return bool(found)


async def produce_slowly(kafka: str, topic: str, rounds: int) -> None:
    for _ in range(rounds):
        await produce(kafka, topic, [("k", 1)] * 10)


async def set_limit(kafka: str, topic: str, limit: int) -> None:
    """From now on Kafka refuses larger record batches on that topic."""
    await set_topic(kafka, topic, {"max.message.bytes": str(limit)})
