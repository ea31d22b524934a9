"""A contact is erased: what was to be delivered, what was sent, and what comes too late."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import orjson
import pytest

from contracts.actions import EraseContacts
from contracts.cloudevents import headers
from dispatcher.intake.erasing import erased, is_erasure
from dispatcher.kinds.table import DELIVERY_KINDS
from dispatcher.model.delivery import Delivery
from dispatcher.store import log
from dispatcher.store.erasures import STORES
from dispatcher.store.port import Lease, Place
from dispatcher.store.postgres import PostgresDeliveries
from servicekit.kafka.records import Outgoing, Record
from servicekit.migrate import migrate
from support.leased import attempted, delivery
from support.tables_of_people import holding, of_people

SETTINGS = {"search_path": "dispatcher"}
ANNA, BEN = str(uuid4()), str(uuid4())
KEY, NAME = "b/c/peer-of-anna", "Anna Distinctive"


@pytest.fixture(scope="module")
def migrated(module_database: str) -> str:
    migrate("dispatcher", module_database)
    return module_database


@pytest.fixture
async def pool(migrated: str) -> AsyncIterator[asyncpg.Pool[asyncpg.Record]]:
    async with asyncpg.create_pool(migrated, min_size=1, max_size=4, server_settings=SETTINGS) as made:
        await made.execute(
            "DELETE FROM delivery; DELETE FROM attempt; DELETE FROM erased_contact; DELETE FROM result_outbox"
        )
        yield made


class Played:
    """A store, with what a test does to it."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self.pool, self.store = pool, PostgresDeliveries(pool, DELIVERY_KINDS)

    async def takes(self, contact: str, **more: Any) -> Delivery:
        """A delivery of that contact, leased."""
        queue = (await self.store.queue_ids([Place("endpoint:e1", "")]))[Place("endpoint:e1", "")]
        body = orjson.dumps({"type": "tag.added", "data": {"contact": {"id": contact, "name": NAME}}})
        one = delivery(
            day=datetime.now(UTC).date(), queue_id=queue, destination="endpoint:e1", contact_id=contact, payload=body,
            conversation=KEY, lease=None, **more,
        )  # fmt: skip
        lease = Lease(60)
        async with self.store.session() as session:
            await session.ensure_days([one.day])
        async with self.pool.acquire() as connection, connection.transaction():
            await self.store.on(connection).take_over([one], lease)
        one.lease = lease.id
        return one

    async def ends(self, one: Delivery) -> bool:
        """Its attempt succeeded; whether that was kept."""
        request, response = orjson.dumps({"body": NAME}), orjson.dumps({"body": f"hello {NAME}"})
        result = attempted(one, "succeeded")
        assert result.attempt is not None
        result.attempt = result.attempt._replace(request=request, response=response)
        return one.key in (await self.store.transaction(lambda session: session.record([result], [], []))).mine

    async def erases(self, *contacts: str) -> None:
        async with self.pool.acquire() as connection, connection.transaction():
            await self.store.on(connection).erase(contacts, KEY)

    async def row(self, one: Delivery) -> Any:
        return await self.pool.fetchrow("SELECT * FROM delivery WHERE id = $1", one.key)


@pytest.fixture
async def played(pool: asyncpg.Pool[asyncpg.Record]) -> AsyncIterator[Played]:
    made = Played(pool)
    yield made
    await made.store.close()


async def test_what_is_unfinished_is_cancelled_and_the_content_of_all_goes(played: Played) -> None:
    waiting, done, other = await played.takes(ANNA), await played.takes(ANNA), await played.takes(BEN)
    assert await played.ends(done)
    await played.erases(ANNA)
    rows = [await played.row(one) for one in (waiting, done)]
    assert [(row["state"], row["error"], row["payload"]) for row in rows] == [
        ("cancelled", "erased", b""), ("succeeded", "erased", b""),
    ]  # fmt: skip
    assert {row[name] for row in rows for name in ("conversation", "contact_id", "lane", "due", "lease")} == {None}
    assert await played.pool.fetchval("SELECT count(*) FROM attempt") == 0
    assert (await played.row(other))["state"] == "in_flight"
    assert await played.ends(other)


async def test_what_was_on_the_wire_leaves_nothing_in_the_log(played: Played) -> None:
    sent = await played.takes(ANNA)
    await played.erases(ANNA)
    assert not await played.ends(sent)
    assert await holding(played.pool, "dispatcher", NAME) == set()
    assert await holding(played.pool, "dispatcher", "peer-of-anna") == set()


async def test_what_comes_too_late_is_cancelled_without_content(played: Played) -> None:
    await played.erases(ANNA)
    late = await played.takes(ANNA, lane=KEY, seq=7)
    row = await played.row(late)
    assert (row["state"], row["payload"], row["contact_id"], row["lane"]) == ("cancelled", b"", None, None)
    assert not await played.ends(late)
    async with played.pool.acquire() as connection:
        assert not await log.replay(connection, late.key, late.project_id, [late.kind.name])


async def test_subscribers_are_told_of_the_erasure(played: Played) -> None:
    before = await played.takes(ANNA, event_type="contact.erased")
    await played.erases(ANNA)
    after = await played.takes(ANNA, event_type="contact.erased")
    assert {(await played.row(one))["state"] for one in (before, after)} == {"in_flight"}


async def test_results_that_kafka_does_not_have_yet_go_and_those_of_others_stay(played: Played) -> None:
    theirs, others = Outgoing("t", KEY.encode(), NAME.encode(), []), Outgoing("t", f"{KEY}2".encode(), b"x", [])

    async with played.store.session() as session:
        name = await session.keep_results([theirs, others])
    await played.erases(ANNA)
    async with played.pool.acquire() as connection:
        await connection.execute("UPDATE result_outbox SET created_at = now() - interval '1 hour'")
    async with played.store.session() as session:
        left = await session.unpublished(Lease(60).interval)
    assert [(one.name, [record.key for record in one.outgoing]) for one in left] == [(name, [f"{KEY}2".encode()])]


async def test_every_table_that_knows_people_says_how_they_are_erased(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """A table with a contact, a conversation or what was sent: it belongs into STORES, with its statement."""
    assert await of_people(pool, "dispatcher") == STORES.keys()


async def test_the_engine_is_told_when_it_is_done() -> None:
    store: Any = None
    takeover: Any = None
    action = EraseContacts(
        id=str(uuid4()), project_id="p", bot_id="b", conversation=KEY, day="2026-11-22", created_at="2026-11-22T00:00:00.000Z",
        erasure=str(uuid4()), contact_ids=(ANNA,),
    )  # fmt: skip
    about = headers(id=action.id, type="action.erase", source="test", time=action.created_at)
    record = Record("switchhook.actions.v1", 0, 7, 0, KEY.encode(), action.encode(), tuple(about))
    assert is_erasure(record)
    commit = erased(record, store, takeover)
    ((cause, (told,)),) = commit.outgoing
    assert (cause, told.key, orjson.loads(told.value or b"")["erasure"]) == (record, KEY.encode(), action.erasure)
    assert commit.applied == 1
