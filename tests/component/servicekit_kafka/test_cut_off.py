"""A broker that comes back without the end of its log, while consumers go on reading: an unclean leader election."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devstack.embedded_kafka import EmbeddedKafka
from operations.checkpoints import accept_loss
from servicekit.kafka.cluster import Cluster
from support.ledger import Ledger, ledger_pool, make_loop, produce, running, turns
from support.topics import create_topic
from support.waiting import eventually


@pytest.fixture
async def own_kafka(tmp_path: Path) -> AsyncIterator[EmbeddedKafka]:
    server = EmbeddedKafka(tmp_path / "kafka")
    await server.start()
    yield server
    await server.stop()


def log_of(folder: Path, topic: str) -> Path:
    """The file of a topic that has one partition and one segment."""
    (found,) = folder.rglob(f"{topic}-0/*.log")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("grown", [0, 60], ids=["shorter", "longer by then"])
async def test_what_was_applied_and_is_gone_stops_the_partition_and_nothing_after_it_is_passed_over(
    own_kafka: EmbeddedKafka, tmp_path: Path, database: str, grown: int
) -> None:
    kafka = own_kafka.bootstrap_servers
    for topic in ("in", "out"):
        await create_topic(kafka, topic)
    async with ledger_pool(database) as pool:

        async def has(count: int) -> bool:
            return await turns(pool) == count

        loop = make_loop(Ledger("in", "out", pool), kafka)
        async with running(loop):
            await produce(kafka, "in", [("k", 1)] * 20)
            await eventually(lambda: has(20))
            kept = log_of(tmp_path, "in").stat().st_size
            await produce(kafka, "in", [("k", 1)] * 20)
            await eventually(lambda: has(40))
            await own_kafka.kill()
            with log_of(tmp_path, "in").open("r+b") as log:
                log.truncate(kept)
            await own_kafka.start()
            if grown:
                await produce(kafka, "in", [("k", 1)] * grown)
            await eventually(lambda: loop.problem() is not None, seconds=60)
            assert await has(40)
            said = await accept_loss(Cluster(kafka), "flow-engine", database, "in", 0)
            assert ("goes on at 40" if grown else "goes on at 20 (was 40), the end of the log") in said
            await produce(kafka, "in", [("k", 1)] * 5)
            # Of what came after the loss only the records below the checkpoint are unknown, and left out.
            await eventually(lambda: has(45 + grown - 20 if grown else 45), seconds=30)
