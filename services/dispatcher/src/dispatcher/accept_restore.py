"""After a restore of the database: the deliveries that it takes for unfinished, and may have been sent since, and those that it
does not know.

`python -m dispatcher.accept_restore VERB AGE RANGES` with SWITCHHOOK_DATABASE and SWITCHHOOK_KAFKA; `switchhook-ops checkpoints
accept-restore` runs it. `report` counts them, `again` leaves them to be sent; `skip` discards them, and notes as discarded what
the actions in RANGES are about, so that the same action is a repeat however it comes again: an engine that is restored, too, may
make a turn apart that it made in its batch before, and what it says then has another source. With `skip` the database counts as not
older. AGE is how old the database was when the last replica worked on it, RANGES a JSON object: topic -> partition ->
[first offset, offset before which it ends]. Answers a JSON list of sentences.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import asyncpg

from contracts import actions
from dispatcher.errors import Unreadable
from dispatcher.intake.actions_handler import delivery_of
from dispatcher.intake.decoding import ActionDecoder, DayWindow
from dispatcher.intake.takeover import queue_of
from dispatcher.kinds.table import DELIVERY_KINDS
from dispatcher.model.delivery import Delivery
from dispatcher.settings import Settings
from dispatcher.store.port import Lease
from dispatcher.store.postgres import PostgresDeliveries
from servicekit.database import Connection, Pool
from servicekit.kafka.between import read_between
from servicekit.kafka.records import Record
from servicekit.settings import KafkaSettings

WHY = "the database was restored from a backup"
UNFINISHED = "SELECT kind, count(*) FROM delivery WHERE finished_at IS NULL GROUP BY kind ORDER BY kind"
DISCARD = """
UPDATE delivery SET state = 'discarded', error = $1, due = NULL, lease = NULL, finished_at = now()
 WHERE finished_at IS NULL
"""
AGE = "SELECT last_value FROM age"
AS_OLD = "SELECT setval('age', $1)"


AT_ONCE = 1000
"""Rows of one statement."""


class Where(KafkaSettings):
    """What is needed of the dispatcher's environment."""

    retention_days: int = Settings.model_fields["retention_days"].default


def left_out(records: Iterable[Record], days: DayWindow, now: datetime) -> list[Delivery]:
    """The rows of actions that are not to be sent. What cannot be read never was a delivery."""
    decoder, made = ActionDecoder(DELIVERY_KINDS.values()), list[Delivery]()
    for record in records:
        try:
            arrived, kind = decoder.decode(record)
            if kind is None:
                continue
            delivery = delivery_of(arrived, kind, days, now)
        except Unreadable:
            continue
        delivery.state, delivery.error = "discarded", WHY
        made.append(delivery)
    return made


async def note(store: PostgresDeliveries, deliveries: Sequence[Delivery]) -> int:
    """Have the rows that are not there yet; how many that were."""
    ids, count = await store.queue_ids({queue_of(each) for each in deliveries}), 0
    for each in deliveries:
        each.queue_id = ids[queue_of(each)]
    async with store.session() as session:
        await session.ensure_days({each.day for each in deliveries})
        for first in range(0, len(deliveries), AT_ONCE):
            count += len(await session.take_over(deliveries[first : first + AT_ONCE], Lease(0)))
    return count


async def decide(connection: Connection, verb: str, age: int) -> list[str]:
    """Do what the verb says; what there was, or was done, as sentences. Nothing when the database is not older."""
    known = int(await connection.fetchval(AGE))
    counted = {row["kind"]: row["count"] for row in await connection.fetch(UNFINISHED)}
    about = ", ".join(f"{count} {kind}" for kind, count in counted.items()) or "none"
    if age <= known:
        return []
    if verb == "report":
        return [f"deliveries that the backup has as unfinished, and that may have been sent since: {about}"]
    if verb == "skip":
        await connection.execute(DISCARD, WHY)
        await connection.execute(AS_OLD, age)
        return [f"unfinished deliveries of the backup are discarded: {about}."]
    return [f"unfinished deliveries of the backup are sent: {about}."]


async def run(dsn: str, verb: str, age: int, ranges: Mapping[str, Mapping[str, tuple[int, int]]]) -> list[str]:
    """On connections of its own. Rows are noted before anything is decided, so that it can be run again."""
    async with asyncpg.create_pool(dsn, min_size=1, max_size=2, server_settings={"search_path": "dispatcher"}) as pool:
        noted = await _note(pool, ranges.get(actions.TOPIC.name, {})) if verb == "skip" else 0
        async with pool.acquire() as connection, connection.transaction():
            done = await decide(connection, verb, age)
    return done + ([f"{noted} deliveries since the backup are noted as discarded."] if noted else [])


async def _note(pool: Pool, wanted: Mapping[str, tuple[int, int]]) -> int:
    parts = {int(part): (first, end) for part, (first, end) in wanted.items()}
    if not parts:
        return 0
    where = Where()
    records = await read_between(where.cluster, actions.TOPIC.name, parts)
    made = left_out(records, DayWindow(where.retention_days), datetime.now(UTC))
    return await note(PostgresDeliveries(pool, DELIVERY_KINDS), made)


if __name__ == "__main__":
    _about = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
    sys.stdout.write(
        json.dumps(asyncio.run(run(os.environ["SWITCHHOOK_DATABASE"], sys.argv[1], int(sys.argv[2]), _about)))
    )
