"""All that a batch saves, inside its one transaction. Keys are sorted; a statement without rows is not sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from contracts.ids import NOBODY
from flow_engine.errors import StaleContact, StaleConversation
from flow_engine.state import listeners
from flow_engine.state.pseudonyms import Pseudonyms
from flow_engine.state.rows import MessageRow
from flow_engine.state.work import LoadedConversation, Work
from flow_engine.store import (
    contacts,
    erasures,
    event_log,
    flow_migrations,
    held,
    identities,
    node_counts,
    recipients,
    timers,
    traces,
    webhook_titles,
)
from flowlang.clock import moment
from flowlang.model import Conversation
from flowlang.running.ownership import with_people
from servicekit.columns import Columns
from servicekit.failpoints import broken
from servicekit.loop.batches import Connection


class ConversationRow(NamedTuple):
    """A conversation after its turns. `read_version` is what its row had when it was read."""

    id: str
    read_version: int | None
    version: int
    state: bytes | None
    seen: bytes
    listeners: bytes | None
    contact_id: str | None
    last_user_at: datetime | None
    owner: str | None
    owner_since: datetime | None
    flow_id: str | None
    flow_version: int | None
    node: str | None
    called_from: str | None


class NewConversationRow(NamedTuple):
    """A conversation's first row."""

    id: str
    key: str
    version: int
    state: bytes | None
    seen: bytes
    listeners: bytes | None
    contact_id: str | None
    last_user_at: datetime | None
    owner: str | None
    owner_since: datetime | None
    flow_id: str | None
    flow_version: int | None
    node: str | None
    called_from: str | None


CHANGED = Columns(
    ConversationRow, "uuid bigint bigint bytea bytea bytea uuid timestamptz text timestamptz text int text text"
)
NEW = Columns(
    NewConversationRow, "uuid text bigint bytea bytea bytea uuid timestamptz text timestamptz text int text text"
)
SAID = Columns(MessageRow, "uuid int bigint text uuid timestamptz bytea text")
SAVED = f"""
    UPDATE conversation c
       SET version = u.version, state = u.state, seen = u.seen, listeners = u.listeners, contact_id = u.contact_id,
           last_user_at = u.last_user_at, owner = u.owner, owner_since = u.owner_since,
           flow_id = u.flow_id, flow_version = u.flow_version, node = u.node, called_from = u.called_from
      FROM {CHANGED.unnest()}
     WHERE c.id = u.id AND {"true" if broken("fence") else "c.version = u.read_version"}
 RETURNING 1
"""
INSERTS: dict[str, tuple[int, Callable[[int], str]]] = {
    "event_log": (
        len(event_log.LOGGED),
        lambda after: f"{event_log.LOGGED.insert('event_log', after=after)} ON CONFLICT DO NOTHING",
    ),
    "message": (len(SAID), lambda after: SAID.insert("message", after=after)),
    "trace": (len(traces.TRACED), lambda after: traces.TRACED.insert("trace", after=after)),
    "node_count": (node_counts.PARAMETERS, node_counts.insert),
}
"""Tables to which the statement that saves conversations adds rows: how many parameters each takes, and its insert behind so many others."""
CREATE = f"{NEW.insert('conversation')} ON CONFLICT (id) DO NOTHING"


async def save(work: Work, connection: Connection, pseudonyms: Pseudonyms) -> None:
    """Write everything. Raises StaleConversation, StaleContact when a row was not as it was read."""
    await recipients.save(work, connection)
    changed = work.changed()
    await _save_known(work, [loaded for loaded in changed if loaded.read_version is not None], connection)
    await _create([loaded for loaded in changed if loaded.read_version is None], connection)
    if work.adopted and await connection.fetchval(contacts.STAY, sorted(work.adopted)) != len(work.adopted):
        raise StaleContact("a contact was erased since it was read")
    await _rows(connection, contacts.CREATE, contacts.CONTACTS, contacts.new_rows(work))
    merged = await identities.save(work, connection)
    for patches in contacts.patch_rows(work, merged):
        if await connection.fetchval(contacts.PATCH, *contacts.PATCHES.arrays(patches)):
            raise StaleContact("a contact was changed or merged since it was read")
    await identities.merge(work.merges, connection)
    await webhook_titles.add(work.webhook_titles, connection)
    await _rows(connection, timers.START, timers.TIMERS, sorted(work.timers.values()))
    if work.ended_timers:
        await connection.execute(timers.END, sorted(work.ended_timers))
    log_changes = [event_log.LogChangeRow(id, *change) for id, change in sorted(work.log_changes.items())]
    await _rows(connection, event_log.CHANGE, event_log.CHANGES, log_changes)
    await _rows(connection, held.HOLD, held.HELD, held.rows(work))
    await _rows(connection, held.RELEASE, held.RELEASED, work.redriven)
    await _rows(connection, held.DEFER, held.RELEASED, work.deferrals)
    await flow_migrations.save(work, connection)
    await erasures.save(work, connection, pseudonyms)


@cache
def statement(tables: tuple[str, ...]) -> str:
    """Saves conversations and adds rows to these tables. One that gets none is left out: PostgreSQL would make it
    ready all the same."""
    parts, after = [f"saved AS ({SAVED})"], len(CHANGED)
    for table in tables:
        count, insert = INSERTS[table]
        parts.append(f"to_{table} AS ({insert(after)})")
        after += count
    return f"WITH {', '.join(parts)} SELECT count(*) FROM saved"


def _added(work: Work) -> dict[str, list[Any]]:
    """The parameters of each table that gets rows."""
    added: dict[str, list[Any]] = {}
    if work.log_rows:
        added["event_log"] = event_log.LOGGED.arrays(work.log_rows.values())
    if work.messages:
        added["message"] = SAID.arrays(work.messages)
    if work.traces:
        added["trace"] = traces.TRACED.arrays(work.traces)
    if counted := node_counts.rows(work):
        added["node_count"] = node_counts.parameters(counted, work.counting_part)
    return added


async def _save_known(work: Work, changed: list[LoadedConversation], connection: Connection) -> None:
    added = _added(work)
    if not (changed or added):
        return
    rows = [_row(loaded) for loaded in changed]
    parameters: list[Any] = CHANGED.arrays(rows)
    for more in added.values():
        parameters += more
    saved = await connection.fetchval(statement(tuple(added)), *parameters)
    if saved != len(rows) and not broken("fence"):
        raise StaleConversation(f"{len(rows) - saved} of {len(rows)} conversations changed since they were read")


def _row(loaded: LoadedConversation) -> ConversationRow:
    conversation = loaded.conversation
    return ConversationRow(
        loaded.id, loaded.read_version, conversation.version, loaded.state, loaded.seen,
        listeners.dump(loaded.listeners), _person_of(conversation), loaded.last_user_at, *_found_by(conversation),
    )  # fmt: skip


def _person_of(conversation: Conversation) -> str | None:
    """Whom it is with. What a contact's own key stands for is no conversation with anybody."""
    return conversation.contact_id or None if conversation.channel_id != NOBODY else None


def _owner_of(conversation: Conversation) -> tuple[str | None, datetime | None]:
    """Who answers, and since when; nobody is named where it is the bot."""
    if not with_people(conversation) or conversation.owner_since is None:
        return None, None
    return conversation.owner, moment(conversation.owner_since)


def _found_by(
    conversation: Conversation,
) -> tuple[str | None, datetime | None, str | None, int | None, str | None, str | None]:
    """What lists find it by."""
    return *_owner_of(conversation), *_place_of(conversation)


def _place_of(conversation: Conversation) -> tuple[str | None, int | None, str | None, str | None]:
    """The flow, its version, the node where it waits, and the flows that wait for that one; none where no session is."""
    session = conversation.session
    if session is None:
        return None, None, None, None
    called_from = None
    if session.frames or conversation.stack:
        others = [frame.flow_id for one in (session, *conversation.stack) for frame in one.frames]
        others += [one.flow_id for one in conversation.stack]
        called_from = " ".join(sorted(set(others)))
    return session.flow_id, session.flow_version, session.wait.node if session.wait else None, called_from


async def _create(new: list[LoadedConversation], connection: Connection) -> None:
    if not new:
        return
    rows = [_new_row(loaded) for loaded in new]
    done = await connection.execute(CREATE, *NEW.arrays(rows))
    if done != f"INSERT 0 {len(rows)}" and not broken("fence"):
        raise StaleConversation("a conversation came into being since it was looked for")


def _new_row(loaded: LoadedConversation) -> NewConversationRow:
    conversation = loaded.conversation
    return NewConversationRow(
        loaded.id, conversation.key, conversation.version, loaded.state, loaded.seen,
        listeners.dump(loaded.listeners), _person_of(conversation), loaded.last_user_at, *_found_by(conversation),
    )  # fmt: skip


async def _rows(connection: Connection, statement: str, columns: Columns, rows: Sequence[tuple[Any, ...]]) -> None:
    if rows:
        await connection.execute(statement, *columns.arrays(rows))
