"""What there is of a person, and its end: every row of this service, in the transaction of the record that erases it.

STORES names each table that knows people; a test fails for one that is not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from contracts.ids import NOBODY, derived_id, split_conversation_key
from flow_engine.errors import StaleContact
from flow_engine.state.ids import conversation_id
from flow_engine.state.pseudonyms import Pseudonyms
from flow_engine.state.work import Begun, Erased, Erasing, PersonKept, Work
from flow_engine.store import held_of_person, recipients
from flow_engine.store.port import EVENT, Name, Unfinished
from servicekit.columns import Array
from servicekit.loop.batches import Connection, Infrastructure

KEPT_DAYS = 15
"""One more than the dead letters, the topics that keep records longest."""
STORES = {
    "contact": "the contact's rows go, with those of contacts that were merged into it",
    "contact_term": "goes with the contact's row, by a trigger",
    "identity": "goes with the contact's row, by its foreign key",
    "conversation": "the row of each of the contact's keys goes: state, sessions, who listens, ids of events",
    "timer": "those of the key go",
    "held": "those of the key go, and those that wait for the person under another name; lines of imports keep number and id",
    "message": "the chat log of the conversation goes",
    "event_log": "the lines of the conversation's events go",
    "trace": "the conversation's turns go",
    "outbox": "holds records on their way to Kafka, for milliseconds while Kafka is there",
    "broadcast_recipient": "the contact's rows go; who was not sent to yet is counted as skipped, erased",
    "erasure": "holds the contact's id",
    "erasure_key": "holds keyed hashes",
    "erased": "holds keyed hashes",
}
"""Table of this service that knows people -> how it is erased. A new one: add its statement here, and its line."""

_THEIRS = (
    "SELECT id FROM contact WHERE bot_id = $1 AND (id = $2 AND merged_into IS NULL OR merged_into = $2) ORDER BY id"
)
_KEYS = "SELECT key FROM conversation WHERE contact_id = ANY ($1::uuid[]) ORDER BY key"
_NAMES = "SELECT kind, value FROM identity WHERE contact_id = ANY ($1::uuid[])"
_CONTACTS = "DELETE FROM contact WHERE id = ANY ($1::uuid[])"
_OF_KEY = (
    "DELETE FROM conversation WHERE id = $1",
    "DELETE FROM held WHERE conversation = $1",
    "DELETE FROM message WHERE conversation = $1",
    "DELETE FROM trace WHERE conversation = $1",
)
_LOG = "DELETE FROM event_log WHERE conversation = $1 RETURNING id"
_TIMERS = "DELETE FROM timer WHERE key = $1"
_WAIT_BY_NAME = """
SELECT conversation, position, convert_from(key, 'UTF8') AS key, coalesce(value, '') AS value FROM held
 WHERE project = $1 AND position(convert_to($2, 'UTF8') IN key) = 1 ORDER BY conversation, position
"""
_RELEASE = "DELETE FROM held WHERE conversation = $1 AND position = $2"
_KEEP_REST = "UPDATE held SET value = $3 WHERE conversation = $1 AND position = $2"
_BEGIN = """
INSERT INTO erasure (id, project_id, bot_id, contact_id, asked_at, until)
VALUES ($1, $2, $6, $3, $4::text::timestamptz, CURRENT_DATE + $5::int) ON CONFLICT (id) DO NOTHING
"""
_BEGIN_MERGED = """
INSERT INTO erasure (id, project_id, bot_id, contact_id, asked_at, until, same_as)
SELECT u.id, e.project_id, e.bot_id, u.contact_id, e.asked_at, e.until, e.id
  FROM erasure e CROSS JOIN unnest($2::uuid[], $3::uuid[]) u(contact_id, id) WHERE e.id = $1 ON CONFLICT (id) DO NOTHING
"""
_KEY = "INSERT INTO erasure_key (erasure, pseudonym) SELECT $1, * FROM unnest($2::bytea[]) ON CONFLICT DO NOTHING"
_MARK = """
INSERT INTO erased AS e (pseudonym, before, version, next_seq, seen, until)
SELECT u.pseudonym, $2, $3, $4, $5, CURRENT_DATE + $6::int FROM unnest($1::bytea[]) u(pseudonym)
ON CONFLICT (pseudonym) DO UPDATE SET before = greatest(e.before, excluded.before), version = greatest(e.version, excluded.version),
       next_seq = greatest(e.next_seq, excluded.next_seq), seen = excluded.seen, until = excluded.until
"""
_ERASED_KEY = """
UPDATE erasure_key SET erased_at = coalesce(erased_at, now()) WHERE erasure = $1 AND pseudonym = ANY ($2::bytea[])
"""
_DELIVERED = """
UPDATE erasure_key SET delivered_at = coalesce(delivered_at, now()) WHERE erasure = $1 AND pseudonym = ANY ($2::bytea[])
"""
_FIND = "SELECT pseudonym, before, version, next_seq, seen FROM erased WHERE pseudonym = ANY ($1::bytea[])"
_PROGRESS = """
SELECT e.id, e.project_id, e.bot_id, e.contact_id, e.asked_at, count(*) AS keys, count(k.erased_at) AS erased, count(k.delivered_at) AS delivered,
       max(k.erased_at) AS last_erased
  FROM erasure asked JOIN erasure e ON e.id = coalesce(asked.same_as, asked.id) JOIN erasure_key k ON k.erasure = e.id
 WHERE asked.id = $1 GROUP BY e.id
"""
_DELIVERED_ALL = "UPDATE erasure_key SET delivered_at = coalesce(delivered_at, now()) WHERE erasure = $1"
_CONTACTS_OF = "SELECT contact_id FROM erasure WHERE id = $1 OR same_as = $1 ORDER BY contact_id"
_OLDEST = """
SELECT e.id, extract(epoch FROM now() - e.asked_at)::float8 AS seconds FROM erasure e
 WHERE e.id IN (SELECT erasure FROM erasure_key WHERE erased_at IS NULL OR delivered_at IS NULL) ORDER BY e.asked_at LIMIT 1
"""
_FORGET = ("DELETE FROM erased WHERE until < CURRENT_DATE", "DELETE FROM erasure WHERE until < CURRENT_DATE")


class Progress(NamedTuple):
    """How far an erasure is: of so many keys this service has erased so many, and the dispatcher so many."""

    id: str
    project_id: str
    bot_id: str | None
    contact_id: str
    asked_at: datetime
    keys: int
    erased: int
    delivered: int
    last_erased: datetime | None

    @property
    def is_done(self) -> bool:
        """Whether both have erased all."""
        return self.erased == self.delivered == self.keys


async def person(connection: Connection, bot_id: str, contact_id: str) -> PersonKept | None:
    """What names this contact and those that were merged into it; None: there is no such contact, or it was merged."""
    ids = [str(row["id"]) for row in await connection.fetch(_THEIRS, bot_id, contact_id)]
    if contact_id not in ids:
        return None
    keys = [row["key"] for row in await connection.fetch(_KEYS, ids)]
    names = [(row["kind"], row["value"]) for row in await connection.fetch(_NAMES, ids)]
    return PersonKept(tuple(ids), tuple(keys), tuple(sorted(names)))


async def progress(connection: Connection, id: str) -> Progress | None:
    """How far it is, or the one that it has become a part of; None: there is no such erasure, or none any more."""
    row = await connection.fetchrow(_PROGRESS, id)
    return (
        None
        if row is None
        else Progress(str(row["id"]), row["project_id"], row["bot_id"], str(row["contact_id"]), *row[4:])
    )


async def begun(connection: Connection, id: str) -> Begun | None:
    """Whom an erasure is about, and what there still is of them; None: there is no such erasure."""
    ids = [str(row["contact_id"]) for row in await connection.fetch(_CONTACTS_OF, id)]
    return Begun(tuple(ids), tuple(row["key"] for row in await connection.fetch(_KEYS, ids))) if ids else None


async def oldest(connection: Connection) -> Unfinished | None:
    """Which has been under way for longest; None: all are done."""
    row = await connection.fetchrow(_OLDEST)
    return None if row is None else Unfinished(str(row["id"]), row["seconds"])


async def find(connection: Connection, pseudonyms: dict[bytes, str]) -> dict[str, Erased]:
    """What is known of erased keys, by the names that these pseudonyms stand for."""
    rows = await connection.fetch(_FIND, Array(list(pseudonyms))) if pseudonyms else ()
    return {pseudonyms[one]: Erased(*rest) for one, *rest in rows}


async def names(connection: Connection, wanted: Sequence[Name], pseudonyms: Pseudonyms) -> dict[Name, Erased]:
    """Those of these names of people that were erased."""
    keys = {name_key(name.bot_id, name.field, name.value): name for name in wanted}
    found = await find(connection, pseudonyms.known(keys))
    return {keys[key]: erased for key, erased in found.items()}


async def forget(connection: Connection) -> None:
    """What no record that is older can come back for any more."""
    for statement in _FORGET:
        await connection.execute(statement)


async def save(work: Work, connection: Connection, pseudonyms: Pseudonyms) -> None:
    """Erase what a batch erases; last in its transaction. Raises StaleContact where there is more than was read."""
    for id, key in work.erasures_done:
        if key is None:
            await connection.execute(_DELIVERED_ALL, id)
        else:
            await connection.execute(_DELIVERED, id, list(pseudonyms.known([key])))
    if (erasing := work.erasing) is None:
        return
    if not pseudonyms:
        raise Infrastructure("SWITCHHOOK_LINK_KEY is not set, and nobody can be erased without it")
    if erasing.person is not None:
        await _begin(erasing, erasing.person, connection, pseudonyms)
    if not erasing.is_repeat:
        await _erase_key(erasing, connection, pseudonyms)
    await connection.execute(_ERASED_KEY, erasing.erasure, list(pseudonyms.known([erasing.key])))


async def _begin(erasing: Erasing, known: PersonKept, connection: Connection, pseudonyms: Pseudonyms) -> None:
    """The contacts go first: whoever would still take one of them for a conversation finds it gone, or is seen here."""
    await recipients.erase(connection, known.contact_ids)  # Before the contacts, as where a turn settles them.
    await connection.execute(_THEIRS + " FOR UPDATE", erasing.bot_id, erasing.contact_id)
    there = await person(connection, erasing.bot_id, erasing.contact_id)
    await connection.execute(_CONTACTS, list(known.contact_ids))
    await recipients.erase(connection, known.contact_ids)  # Those that a walk has noted until the contacts were locked.
    keys = [row["key"] for row in await connection.fetch(_KEYS, list(known.contact_ids))]
    if there is None or there._replace(keys=tuple(keys)) != known:
        raise StaleContact("there is more of the person than was read")
    job = erasing.erasure
    await connection.execute(
        _BEGIN, job, erasing.project_id, erasing.contact_id, erasing.before, KEPT_DAYS, erasing.bot_id
    )
    merged = [id for id in known.contact_ids if id != erasing.contact_id]
    await connection.execute(_BEGIN_MERGED, job, merged, [job_of(id) for id in merged])
    await connection.execute(_KEY, job, [pseudonyms.of(key) for key in (erasing.key, *erasing.others)])
    await _erase_held(erasing, known, connection)
    by_name = [pseudonyms.of(name_key(erasing.bot_id, kind, value)) for kind, value in known.names]
    await connection.execute(_MARK, by_name, erasing.before, 0, 1, b"", KEPT_DAYS)


async def _erase_key(erasing: Erasing, connection: Connection, pseudonyms: Pseudonyms) -> None:
    id = conversation_id(erasing.key)
    for statement in _OF_KEY:
        await connection.execute(statement, id)
    await connection.execute(_TIMERS, erasing.key)
    events = [str(row["id"]) for row in await connection.fetch(_LOG, id)]
    if split_conversation_key(erasing.key)[1] == NOBODY:  # A conversation knows its events by `seen`.
        marks = [pseudonyms.of(name_key(erasing.bot_id, EVENT, one)) for one in events]
        await connection.execute(_MARK, marks, erasing.before, 0, 1, b"", KEPT_DAYS)
    await connection.execute(
        _MARK, [pseudonyms.of(erasing.key)], erasing.before, erasing.version, erasing.next_seq, erasing.seen, KEPT_DAYS
    )


async def _erase_held(erasing: Erasing, known: PersonKept, connection: Connection) -> None:
    """Events of contacts themselves wait under the name that they came with, or a key of their own."""
    begin = f"{erasing.bot_id}/{NOBODY}/"
    for row in await connection.fetch(_WAIT_BY_NAME, erasing.project_id, begin):
        left = held_of_person.without(row["key"].removeprefix(begin), row["value"], known)
        if left is None:
            await connection.execute(_RELEASE, row["conversation"], row["position"])
        elif left != row["value"]:
            await connection.execute(_KEEP_REST, row["conversation"], row["position"], left)


def job_of(contact_id: str) -> str:
    """The id of the erasure of a contact: asked for twice it is one."""
    return derived_id("erasure", contact_id)


def name_key(bot_id: str, field: str, value: str) -> str:
    """What stands for a name of a person where pseudonyms are made."""
    return f"{bot_id}/{NOBODY}/{field}:{value}"
