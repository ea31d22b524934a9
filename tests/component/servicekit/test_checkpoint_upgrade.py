"""Checkpoints of the release before, in each service that keeps them: read as they are, and left usable to that release."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import asyncpg
import pytest

from servicekit.checkpoints import fence
from servicekit.checkpoints.fence import CheckpointMove
from servicekit.migrate import migrate_async
from support.databases import Databases

OF_BEFORE = """
INSERT INTO checkpoint (topic, part, owner, next_offset, epoch, last_id, partitions, seen)
VALUES ('in', $1, $2, 40, 7, 'id-39', 6, '{"up/0": [640, 2]}')
"""


@pytest.fixture
def database(databases: Databases) -> Iterator[str]:
    """Empty."""
    with databases.fresh() as dsn:
        yield dsn


@pytest.mark.parametrize("package", ["registry", "flow_engine", "dispatcher"])
async def test_a_checkpoint_of_the_release_before_keeps_what_it_had_and_learns_its_topic(
    database: str, package: str
) -> None:
    await migrate_async(package, database, "0003")
    connection = await asyncpg.connect(database, server_settings={"search_path": package})
    try:
        await connection.execute(OF_BEFORE, 0, uuid4())
        await migrate_async(package, database)
        await connection.execute(OF_BEFORE, 1, uuid4())
        for part in (0, 1):
            hold = await fence.bump(connection, "in", part, uuid4(), predecessors=None)
            assert hold is not None
            assert (hold.next_offset, hold.last_id, hold.incarnation) == (40, "id-39", None)
            assert hold.seen == {"up/0": (640, 2)}
            hold.incarnation = "the topic's id"
            move = CheckpointMove(hold, 40, 41, "id-40", {**hold.seen, "up/1": (3, 0, "its source's")}, None)
            assert await fence.advance(connection, "in", [move], []) == {part}
            again = await fence.bump(connection, "in", part, uuid4(), predecessors=None)
            assert again is not None
            assert (again.next_offset, again.incarnation) == (41, "the topic's id")
            assert again.seen == {"up/0": (640, 2), "up/1": (3, 0, "its source's")}
    finally:
        await connection.close()
