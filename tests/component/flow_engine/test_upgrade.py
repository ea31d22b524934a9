"""A database of the release before: whom its identifiers name after the upgrade."""

from __future__ import annotations

from collections.abc import Iterator

import asyncpg
import msgspec
import orjson
import pytest

from contracts.cloudevents import PROJECT
from flow_engine.state import stored_state
from flow_engine.store import contact_lists, held, log_partitions
from flow_engine.store.contact_lists import Filter
from flowlang.model import Conversation, Frame, Session, Wait
from servicekit.kafka.records import Record
from servicekit.migrate import migrate_async
from support.databases import Databases

BOT = "bot-1"
SHARED = {"attachments": [{"type": "contact", "phone": "491701234567", "first_name": "A", "verified": True}]}
FORWARDED = {"attachments": [{"type": "contact", "phone": "491701234568", "first_name": "B", "verified": False}]}
TYPED = {"text": '"phone":"491701234569" "verified":true'}

PEOPLE = {
    "shared": ("telegram", {"phone": "491701234567", "email": "a@example.com"}, SHARED),
    "forwarded": ("telegram", {"phone": "491701234568"}, FORWARDED),
    "typed": ("telegram", {"phone": "491701234569"}, TYPED),
    "visitor": ("webchat", {"external_id": "crm-1", "phone": "+371", "email": "b@example.com"}, {"text": "hi"}),
    "told": ("http", {"external_id": "crm-2"}, {"text": "hi"}),
    "one": ("http", {"external_id": "crm-3"}, {"text": "hi"}),
    "other": ("telegram", {"external_id": "crm-3"}, {"text": "hi"}),
}
"""Name -> type of channel, what was kept of them, what they wrote."""


@pytest.fixture
def database(databases: Databases) -> Iterator[str]:
    """Empty."""
    with databases.fresh() as dsn:
        yield dsn


async def put(connection: asyncpg.Connection[asyncpg.Record], name: str) -> None:
    """A person as the release before kept one."""
    channel_type, kept, wrote = PEOPLE[name]
    key = f"{BOT}/c/{name}"
    contact, conversation = await connection.fetchrow("SELECT gen_random_uuid(), gen_random_uuid()")
    columns = [kept.get(field) for field in ("external_id", "phone", "email")]
    await connection.execute(
        "INSERT INTO contact (id, project_id, bot_id, external_id, phone, email, profile)"
        " VALUES ($1, 'p', $2, $3, $4, $5, $6)",
        contact, BOT, *columns, orjson.dumps({"name": name}).decode(),
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO conversation (id, key, contact_id, version, state, seen) VALUES ($1, $2, $3, 1, $4, '')",
        conversation, key, contact, stored_state.encode(Conversation(key, "p", BOT, "c", channel_type, name, "")),
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO message (conversation, seq, place, sender, id, at, content)"
        " VALUES ($1, 0, 0, 'person', gen_random_uuid(), now(), $2)",
        conversation, orjson.dumps(wrote),
    )  # fmt: skip


async def test_what_can_only_have_been_verified_still_names_people_and_nothing_else_does(database: str) -> None:
    await migrate_async("flow_engine", database, "0002")
    connection = await asyncpg.connect(database, server_settings={"search_path": "flow_engine"})
    try:
        await log_partitions.keep_up(
            connection, [log for log in log_partitions.logs(None, 9) if log.table in ("message", "event_log")]
        )
        for name in PEOPLE:
            await put(connection, name)
        await migrate_async("flow_engine", database)
        rows = await connection.fetch(
            "SELECT kind, value, profile ->> 'name' FROM identity JOIN contact ON id = contact_id ORDER BY kind"
        )
        assert [tuple(row) for row in rows] == [("external_id", "crm-2", "told"), ("phone", "+491701234567", "shared")]
        assert await connection.fetchval("SELECT count(*) FROM contact WHERE merged_into IS NULL") == len(PEOPLE)
        listed = await contact_lists.page(connection, Filter(BOT, words=("crm-3",)), None, 50)
        assert {one.contact.profile["name"] for one in listed.items} == {"one", "other"}
    finally:
        await connection.close()


async def test_what_was_held_by_the_release_before_waits_on_and_is_counted_for_nobody(database: str) -> None:
    await migrate_async("flow_engine", database, "0008")
    connection = await asyncpg.connect(database, server_settings={"search_path": "flow_engine"})
    try:
        conversation = await connection.fetchval(
            "INSERT INTO held (conversation, part, record_offset, record_ms, key, value, headers, deferred)"
            " VALUES (gen_random_uuid(), 0, 1, 1, 'b/c/p', '{}', $1, false) RETURNING conversation",
            msgspec.msgpack.encode(((PROJECT, b"p"),)),
        )
        await migrate_async("flow_engine", database)
        assert len(await held.events(connection, conversation, 10)) == 1
        assert await held.size(connection, "p") == 0
        record = Record("inbound", 0, 2, 2, b"b/c/q", b"x" * 100, ((PROJECT, b"p"),))
        await connection.execute(held.HOLD, *held.HELD.arrays([held.row(record, "b/c/q")]))
        assert await held.size(connection, "p") == 100 + held.ROW_BYTES
    finally:
        await connection.close()


async def test_where_a_conversation_waits_is_noted_of_those_that_the_release_before_has_kept(database: str) -> None:
    await migrate_async("flow_engine", database, "0028")
    connection = await asyncpg.connect(database, server_settings={"search_path": "flow_engine"})
    try:
        frames = [Frame("shop", 4, "call", {}), Frame("cart", 2, "call", {}), Frame("shop", 4, "again", {})]
        called = Session("address", 7, "e", "e", "now", "then", wait=Wait("t", "answer", "street"), frames=frames)
        nul = {"a": "\0\0", "b\0": "\\u0000", "c": "\\\0"}
        asked = Session("shop", 4, "e", "e", "now", "then", wait=Wait("t", "answer", "which"), memory=nul)
        for name, session in {"asked": asked, "called": called, "idle": None}.items():
            kept = stored_state.encode(
                Conversation(f"{BOT}/c/{name}", "p", BOT, "c", "http", name, "", session=session)
            )
            await connection.execute(
                "INSERT INTO conversation (id, key, version, state, seen) VALUES (gen_random_uuid(), $1, 1, $2, '')",
                name, kept,
            )  # fmt: skip
        await migrate_async("flow_engine", database)
        rows = await connection.fetch(
            "SELECT key, flow_id, flow_version, node, called_from FROM conversation ORDER BY key"
        )
        assert [tuple(row) for row in rows] == [
            ("asked", "shop", 4, "which", None),
            ("called", "address", 7, "street", "cart shop"),
            ("idle", None, None, None, None),
        ]
    finally:
        await connection.close()
