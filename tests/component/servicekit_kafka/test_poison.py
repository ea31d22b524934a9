"""What cannot be processed goes to the dead-letter topic with its reason and holds nobody back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import asyncpg
import pytest
from bench.chaos.bad_records import RawName, produce_raw

from contracts import dlq
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.records import Record
from servicekit.loop.brake import MOST_PROJECTS
from support.ledger import Ledger, make_loop, produce, read_all, running, sources, turns
from support.waiting import eventually

MakeTopic = Callable[..., Awaitable[str]]
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


@pytest.fixture
async def dead(make_topic: MakeTopic) -> str:
    """A dead-letter topic of this test."""
    return await make_topic("switchhook.flow-engine.dlq.v1", config={"max.message.bytes": str(5 << 20)})


def reasons(records: list[Record]) -> list[tuple[str, str]]:
    """(code, message) of dead letters."""
    found = []
    for record in records:
        headers = dict(record.headers)
        found.append(((headers[dlq.ERROR_CODE] or b"").decode(), (headers[dlq.ERROR_MESSAGE] or b"").decode()))
    return found


async def has(pool: Pool, count: int) -> bool:
    return await turns(pool) == count


@pytest.mark.parametrize("compression", [None, "gzip", "lz4"])
async def test_unreadable_records_are_dead_letters_and_their_neighbours_are_applied(
    kafka: str, cluster: Cluster, pool: Pool, make_topic: MakeTopic, dead: str, compression: str | None
) -> None:
    topic, _ = await make_topic("in", config={"max.message.bytes": str(4 << 20)}), await make_topic("out")
    await produce_raw(
        kafka,
        topic,
        [
            (b"a", b"1", []),
            (b"b", b"not json", [("authorization", b"Bearer secret"), ("kept", b"yes")]),
            (b"c", None, []),
            (b"d", b"1", [("ok", b"1"), (RawName(b"\xff\xfe"), b"1")]),
            (b"e", b"1", [("ce_id", b"\xff")]),
            (b"f", b"1", [("ce_id", None)]),
            (None, b"[" + b"1" * (2 << 20), []),
            (b"g", b"1", [("ce_id", "ü".encode())]),
        ],
        compression=compression,
    )
    async with running(make_loop(Ledger("in", "out", pool), cluster)):
        await eventually(lambda: has(pool, 2))
    letters = await read_all(kafka, dead)
    by_key = {record.key: reason for record, reason in zip(letters, reasons(letters), strict=True)}
    assert by_key[b"b"][0] == by_key[b"c"][0] == by_key[None][0] == "not-json"
    assert by_key[b"d"] == ("bad-header", "the header name \\xff\\xfe is not UTF-8")
    assert by_key[b"e"] == ("bad-header", "the header ce_id is not UTF-8")
    assert by_key[b"f"] == ("bad-header", "the header ce_id is null")
    assert len(letters) == 6
    headers = dict(next(record for record in letters if record.key == b"b").headers)
    assert "authorization" not in headers
    assert headers["kept"] == b"yes"
    assert headers[dlq.ORIGINAL_TOPIC] == b"in", "without the prefix"
    assert headers[dlq.ORIGINAL_OFFSET] == b"1"
    assert next(record for record in letters if record.key is None).value == b"[" + b"1" * (2 << 20)


async def test_a_record_that_fails_three_times_is_parked_alone(
    kafka: str, cluster: Cluster, pool: Pool, make_topic: MakeTopic, dead: str
) -> None:
    topic, out = await make_topic("in"), await make_topic("out")
    ledger = Ledger("in", "out", pool)
    ledger.bugs = {b"13": RuntimeError("a bug with a " + "long " * 400)}
    await produce(kafka, topic, [("k", 13 if n == 20 else 1) for n in range(50)])
    async with running(make_loop(ledger, cluster)):
        await eventually(lambda: has(pool, 49))
        before = len(ledger.sizes)
        await produce(kafka, topic, [("k", 1)] * 60)
        await eventually(lambda: has(pool, 109))
    assert ledger.parked == [b"13"]
    assert max(ledger.sizes[before:]) > 1, "one by one only as long as needed"
    letters = await read_all(kafka, dead)
    assert [code for code, _ in reasons(letters)] == ["failed"]
    assert dict(letters[0].headers)[dlq.ATTEMPTS] == b"3"
    assert reasons(letters)[0][1].startswith("RuntimeError: a bug")
    assert len(dict(letters[0].headers)[dlq.ERROR_MESSAGE] or b"") == 1024
    offsets = [offset for _, offset in sources(await read_all(kafka, out))]
    assert sorted(set(offsets)) == [n for n in range(110) if n != 20]


async def test_failures_of_many_projects_stop_the_loop_and_it_says_what_to_do(
    kafka: str, cluster: Cluster, pool: Pool, make_topic: MakeTopic, dead: str
) -> None:
    """As after a bad release: it does not go on to hold everybody's conversations, and loses nothing."""
    topic, _ = await make_topic("in"), await make_topic("out")
    ledger = Ledger("in", "out", pool)
    ledger.bugs = {b"13": RuntimeError("a bug")}
    for project in range(MOST_PROJECTS + 2):
        await produce(kafka, topic, [("k", 13), ("k", 13)], headers=[("ce_project", b"project-%d" % project)])
    loop = make_loop(ledger, cluster)
    async with running(loop):
        sentence = await eventually(loop.problem)
        assert "records of 4 projects failed within a minute" in sentence
        assert "release before" in sentence
    assert ledger.parked == [b"13"] * 2 * MOST_PROJECTS
    assert len(await read_all(kafka, dead)) == 2 * MOST_PROJECTS
    ledger.bugs.clear()
    async with running(make_loop(ledger, cluster)):
        await eventually(lambda: has(pool, 4))


async def test_without_a_days_partition_nothing_is_parked_and_readiness_says_so(
    kafka: str, cluster: Cluster, pool: Pool, make_topic: MakeTopic, dead: str
) -> None:
    topic, _ = await make_topic("in"), await make_topic("out")
    ledger = Ledger("in", "out", pool)
    ledger.bugs = {b"13": asyncpg.CheckViolationError('no partition of relation "message" found for row')}
    await produce(kafka, topic, [("k", 13)])
    loop = make_loop(ledger, cluster)
    async with running(loop):
        sentence = await eventually(loop.problem)
        assert "no partition for today's rows" in sentence
        ledger.bugs.clear()
        await eventually(lambda: has(pool, 1))
        assert loop.problem() is None
    assert ledger.parked == []


async def test_a_value_that_postgres_refuses_is_its_records_fault(
    kafka: str, cluster: Cluster, pool: Pool, make_topic: MakeTopic, dead: str
) -> None:
    topic, _ = await make_topic("in"), await make_topic("out")
    ledger = Ledger("in", "out", pool)
    await produce(kafka, topic, [("a", 1), ("with\x00nul", 1), ("b", b"%d" % 2**70), ("c", 1)])
    async with running(make_loop(ledger, cluster)):
        await eventually(lambda: has(pool, 2))
    assert [record.key for record in await read_all(kafka, dead)] == [b"with\x00nul", b"b"]


async def test_output_that_kafka_would_refuse_is_not_committed(
    kafka: str, cluster: Cluster, pool: Pool, make_topic: MakeTopic, dead: str
) -> None:
    topic, out = await make_topic("in"), await make_topic("out")

    class Verbose(Ledger):
        async def apply(self, batch):  # type: ignore[no-untyped-def]
            commit = await super().apply(batch)
            commit.outgoing = [
                (record, [one._replace(value=b"x" * (5 << 20)) if record.value == b"5" else one for one in said])
                for record, said in commit.outgoing
            ]
            return commit

    await produce(kafka, topic, [("a", 1), ("b", 5), ("c", 1)])
    async with running(make_loop(Verbose("in", "out", pool), cluster)):
        await eventually(lambda: has(pool, 2))
    assert [code for code, _ in reasons(await read_all(kafka, dead))] == ["failed"]
    assert [record.key for record in await read_all(kafka, out)] == [b"a", b"c"]


async def test_a_header_name_of_bad_bytes_without_end_holds_nobody(
    kafka: str, cluster: Cluster, pool: Pool, make_topic: MakeTopic, dead: str
) -> None:
    """Escaped it is four times as long, and more than the dead letters' topic takes."""
    topic, _ = await make_topic("in", config={"max.message.bytes": str(4 << 20)}), await make_topic("out")
    bad = (RawName(b"\xff" * (3 << 19)), b"1")
    await produce_raw(kafka, topic, [(b"a", b"1", []), (b"b", b"1", [bad]), (b"c", b"1", [])])
    async with running(make_loop(Ledger("in", "out", pool), cluster)):
        await eventually(lambda: has(pool, 2))
    (letter,) = await read_all(kafka, dead)
    assert (letter.key, letter.value) == (b"b", b"1")
    assert dict(letter.headers)[dlq.CUT] == b"headers %d" % (3 + (6 << 20) + 1)


async def test_a_record_that_cannot_even_be_noted_is_parked_all_the_same(
    kafka: str, cluster: Cluster, pool: Pool, make_topic: MakeTopic, dead: str
) -> None:
    topic, _ = await make_topic("in"), await make_topic("out")

    class Unnoted(Ledger):
        async def park(self, record, error, connection):  # type: ignore[no-untyped-def]
            await super().park(record, error, connection)
            await connection.execute("SELECT 1 / 0")

    ledger = Unnoted("in", "out", pool)
    ledger.bugs = {b"13": RuntimeError("a bug")}
    await produce(kafka, topic, [("a", 1), ("b", 13), ("c", 1)])
    async with running(make_loop(ledger, cluster)):
        await eventually(lambda: has(pool, 2), seconds=30)
    assert ledger.parked == [b"13"] * 3
    assert [record.key for record in await read_all(kafka, dead)] == [b"b"]


async def test_a_batch_that_would_take_all_memory_is_a_dead_letter_and_holds_nobody(
    kafka: str, cluster: Cluster, pool: Pool, make_topic: MakeTopic, dead: str
) -> None:
    """40 MB in 40 kB: Kafka takes as much of it as of anything else."""
    topic, _ = await make_topic("in"), await make_topic("out")
    await produce_raw(kafka, topic, [(b"a", bytes(40 << 20), [])], compression="gzip", largest=50 << 20)
    await produce(kafka, topic, [("k", 1)])
    async with running(make_loop(Ledger("in", "out", pool), cluster)):
        await eventually(lambda: has(pool, 1))
    why = "the batch that it came in has more than 33554432 bytes when it is decompressed"
    assert reasons(await read_all(kafka, dead)) == [("bad-header", why)]
