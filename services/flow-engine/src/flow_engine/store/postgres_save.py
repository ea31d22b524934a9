"""All that a batch saves, inside its one transaction. Keys are sorted; a statement without rows is not sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flow_engine.errors import StaleConversation
from flow_engine.state import listeners
from flow_engine.state.patches import dumps, split_profile
from flow_engine.state.work import Talk, Work
from flow_engine.store.parking import held_rows
from servicekit.failpoints import broken
from servicekit.loop.batches import Connection

SAVE = """
WITH saved AS (
    UPDATE conversation c
       SET version = u.version, state = u.state, seen = u.seen, listeners = u.listeners, contact_id = u.contact_id,
           last_user_at = u.last_user_at
      FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bytea[], $5::bytea[], $6::bytea[], $7::uuid[],
                  $8::timestamptz[]) u(id, read, version, state, seen, listeners, contact_id, last_user_at)
     WHERE c.id = u.id AND {unchanged}
 RETURNING 1
), logged AS (
    INSERT INTO event_log (id, project_id, conversation, status, body)
    SELECT * FROM unnest($9::uuid[], $10::text[], $11::uuid[], $12::text[], $13::bytea[])
    ON CONFLICT DO NOTHING
), said AS (
    INSERT INTO message (conversation, seq, place, sender, id, at, content)
    SELECT * FROM unnest($14::uuid[], $15::int[], $16::bigint[], $17::text[], $18::uuid[], $19::timestamptz[],
                         $20::bytea[])
)
SELECT count(*) FROM saved
"""
SAVE = SAVE.format(unchanged="true" if broken("fence") else "c.version = u.read")
CREATE = """
INSERT INTO conversation (id, key, contact_id, version, state, seen, listeners, last_user_at)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::bytea[], $6::bytea[], $7::bytea[],
                     $8::timestamptz[])
ON CONFLICT (id) DO NOTHING
"""
CREATE_CONTACTS = """
INSERT INTO contact (id, project_id, bot_id, created_at, external_id, phone, email, profile, variables, tags, flags)
SELECT u.id, u.project_id, u.bot_id, u.created_at, u.external_id, u.phone, u.email, u.profile, u.variables,
       ARRAY(SELECT jsonb_array_elements_text(u.tags)), ARRAY(SELECT jsonb_array_elements_text(u.flags))
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::text[], $8::jsonb[],
              $9::jsonb[], $10::jsonb[], $11::jsonb[])
       u(id, project_id, bot_id, created_at, external_id, phone, email, profile, variables, tags, flags)
"""
PATCH_CONTACTS = """
WITH locked AS MATERIALIZED (
    SELECT id FROM contact WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
)
UPDATE contact c SET
    external_id = CASE WHEN u.p -> 'columns' ? 'external_id' THEN u.p -> 'columns' ->> 'external_id' ELSE c.external_id END,
    phone = CASE WHEN u.p -> 'columns' ? 'phone' THEN u.p -> 'columns' ->> 'phone' ELSE c.phone END,
    email = CASE WHEN u.p -> 'columns' ? 'email' THEN u.p -> 'columns' ->> 'email' ELSE c.email END,
    profile = (c.profile || coalesce(u.p -> 'profile', '{}'))
              - ARRAY(SELECT jsonb_array_elements_text(u.p -> 'profile_cleared')),
    variables = (c.variables || coalesce(u.p -> 'variables', '{}'))
                - ARRAY(SELECT jsonb_array_elements_text(u.p -> 'variables_cleared')),
    tags = CASE WHEN u.p ?| '{tags_added,tags_removed}' THEN changed_set(c.tags, u.p -> 'tags_added', u.p -> 'tags_removed')
           ELSE c.tags END,
    flags = CASE WHEN u.p ?| '{flags_added,flags_removed}'
            THEN changed_set(c.flags, u.p -> 'flags_added', u.p -> 'flags_removed') ELSE c.flags END
  FROM unnest($1::uuid[], $2::jsonb[]) u(id, p), locked
 WHERE c.id = u.id AND locked.id = c.id
"""
START_TIMERS = """
INSERT INTO timer (id, part, key, project_id, wait, due)
SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
ON CONFLICT (id) DO UPDATE SET due = EXCLUDED.due, fired_at = NULL
"""
END_TIMERS = "DELETE FROM timer WHERE id = ANY ($1::uuid[])"
CHANGE_LOG = """
UPDATE event_log e SET status = u.status, body = e.body || u.part
  FROM unnest($1::uuid[], $2::text[], $3::bytea[]) u(id, status, part) WHERE e.id = u.id
"""
HOLD = """
INSERT INTO held (conversation, part, record_offset, record_ms, key, value, headers, error)
SELECT * FROM unnest($1::uuid[], $2::int[], $3::bigint[], $4::bigint[], $5::bytea[], $6::bytea[], $7::bytea[], $8::text[])
"""
RELEASE = """
DELETE FROM held h USING unnest($1::uuid[], $2::bigint[]) u(conversation, position)
 WHERE h.conversation = u.conversation AND h.position = u.position
"""


async def save(work: Work, connection: Connection) -> None:
    """Write everything. Raises StaleConversation when a row was not as it was read."""
    changed = sorted((talk for talk in work.talks.values() if talk.state is not None), key=_id)
    await _save_talks(work, [talk for talk in changed if talk.read_version is not None], connection)
    await _create_talks([talk for talk in changed if talk.read_version is None], connection)
    await _create_contacts(work, connection)
    await _rows(connection, PATCH_CONTACTS, sorted((id, patch.encode()) for id, patch in work.patches.items()))
    await _rows(connection, START_TIMERS, sorted(work.timers.values()))
    if work.ended_timers:
        await connection.execute(END_TIMERS, sorted(work.ended_timers))
    await _rows(connection, CHANGE_LOG, [(id, *change) for id, change in sorted(work.log_changes.items())])
    await _rows(connection, HOLD, held_rows(work))
    await _rows(connection, RELEASE, work.redriven)


def _id(talk: Talk) -> str:
    return talk.id


async def _save_talks(work: Work, talks: list[Talk], connection: Connection) -> None:
    if not (talks or work.log_rows or work.messages):
        return
    rows = [
        (t.id, t.read_version, t.conversation.version, t.state, t.seen, listeners.dump(t.listeners),
         t.conversation.contact_id or None, t.last_user_at)
        for t in talks
    ]  # fmt: skip
    saved = await connection.fetchval(
        SAVE, *_columns(rows, 8), *_columns(work.log_rows.values(), 5), *_columns(work.messages, 7)
    )  # fmt: skip
    if saved != len(talks) and not broken("fence"):
        raise StaleConversation(f"{len(talks) - saved} of {len(talks)} conversations changed since they were read")


async def _create_talks(talks: list[Talk], connection: Connection) -> None:
    if not talks:
        return
    rows = [
        (t.id, t.conversation.key, t.conversation.contact_id or None, t.conversation.version, t.state, t.seen,
         listeners.dump(t.listeners), t.last_user_at)
        for t in talks
    ]  # fmt: skip
    done = await connection.execute(CREATE, *_columns(rows, 8))
    if done != f"INSERT 0 {len(talks)}" and not broken("fence"):
        raise StaleConversation("a conversation came into being since it was looked for")


async def _create_contacts(work: Work, connection: Connection) -> None:
    rows = []
    for id, new in sorted(work.new_contacts.items()):
        contact = work.contacts[id]
        columns, profile = split_profile(contact.profile)
        found = [value if value is None else str(value).replace("\x00", "") for value in columns.values()]
        texts = [dumps(part) for part in (profile, contact.variables, contact.tags, contact.flags)]
        rows.append((id, new.project_id, new.bot_id, new.created_at, *found, *texts))
    await _rows(connection, CREATE_CONTACTS, rows)


async def _rows(connection: Connection, statement: str, rows: list[Any]) -> None:
    if rows:
        await connection.execute(statement, *_columns(rows, len(rows[0])))


def _columns(rows: Iterable[tuple[Any, ...]], width: int) -> list[tuple[Any, ...]]:
    """Rows as the arrays that unnest takes."""
    return list(zip(*rows, strict=True)) or [()] * width
