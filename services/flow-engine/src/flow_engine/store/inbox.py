"""Conversations as agents list them: by who answers, each list in the order of one index.

A list is read in two steps, as that of contacts is. Candidates come from the index; with a filter that no index knows they are
bounded, so that a page may hold fewer than were asked for, or none, and go on.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from flowlang.running.ownership import BOT
from servicekit.loop.batches import Connection

CANDIDATES = 1_000
"""How many conversations one page looks at where it has a filter that is no list of its own."""
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
FIRST = "00000000-0000-0000-0000-000000000000"
_OF = {
    "owner": "c.owner = $2 AND c.owner IS NOT NULL AND (c.owner_since, c.id) > ($3, $4)",
    "agents": "$2::text IS NULL AND c.owner IS NOT NULL AND c.owner <> 'queued' AND (c.owner_since, c.id) > ($3, $4)",
    "all": "$2::text IS NULL AND $3::timestamptz IS NOT NULL AND c.contact_id IS NOT NULL AND c.id > $4",
}
_ORDER = {"owner": "c.owner_since, c.id", "agents": "c.owner_since, c.id", "all": "c.id"}
_PAGE = """
WITH candidates AS MATERIALIZED (
    SELECT c.id, c.key, c.owner, c.owner_since, c.contact_id FROM conversation c
     WHERE split_part(c.key, '/', 1) = $1 AND {of} ORDER BY {order} LIMIT $5
)
SELECT c.id, c.owner_since,
       (NOT $6 OR c.owner IS NULL) AND ($7::text IS NULL OR split_part(c.key, '/', 2) = $7)
       AND (cardinality($8::text[]) = 0 OR EXISTS (
            SELECT FROM contact p JOIN contact s ON s.id = coalesce(p.merged_into, p.id)
             WHERE p.id = c.contact_id AND NOT EXISTS (
                   SELECT FROM unnest($8) asked(word) WHERE NOT EXISTS (
                       SELECT FROM unnest(contact_words(s)) w(word) WHERE starts_with(w.word, asked.word))))) AS fits
  FROM candidates c ORDER BY {order}
"""
PAGES = {name: _PAGE.format(of=of, order=_ORDER[name]) for name, of in _OF.items()}
_LOWER = "SELECT array_agg(left(lower(word COLLATE pg_c_utf8), 256)) FROM unnest($1::text[]) word"
_SHOWN = """
SELECT c.id, c.key, c.state, c.last_user_at, s.id AS contact_id, s.profile ->> 'name' AS contact_name
  FROM unnest($1::uuid[]) WITH ORDINALITY u(id, place) JOIN conversation c ON c.id = u.id
  LEFT JOIN contact p ON p.id = c.contact_id LEFT JOIN contact s ON s.id = coalesce(p.merged_into, p.id)
 ORDER BY u.place
"""


MOST_WATCHED = 1_000
"""Conversations of which a stream tells."""
_VERSIONS = """
SELECT c.id, c.version FROM conversation c
 WHERE split_part(c.key, '/', 1) = $1 AND c.owner IS NOT NULL AND ($2::text IS NULL OR c.owner = $2)
   AND (NOT $3 OR c.owner <> 'queued') AND ($4::text IS NULL OR split_part(c.key, '/', 2) = $4)
 ORDER BY c.owner_since, c.id LIMIT $5
"""


class Asked(NamedTuple):
    """Which conversations of a bot. `owner`: queued, or an agent's id. `by_agents`: any agent's; `with_bot`: the bot's.
    `words`: each is the beginning of a word of the contact's name or identifiers."""

    bot_id: str
    owner: str | None = None
    by_agents: bool = False
    with_bot: bool = False
    channel_id: str | None = None
    words: tuple[str, ...] = ()

    @property
    def list(self) -> str:
        return "owner" if self.owner is not None else "agents" if self.by_agents else "all"

    @property
    def is_filtered(self) -> bool:
        return self.with_bot or self.channel_id is not None or bool(self.words)


class Place(NamedTuple):
    """Where a page ends."""

    since: datetime
    id: str


class OwnedState(msgspec.Struct):
    """What is read of a conversation's state."""

    channel_type: str = ""
    owner: str = BOT
    owner_name: str | None = None
    owner_since: str | None = None
    queue: str | None = None
    unread: int = 0
    last_message: str | None = None


_states = msgspec.json.Decoder(OwnedState)


class Found(NamedTuple):
    """A conversation with its person."""

    id: str
    key: str
    state: OwnedState
    last_user_at: datetime | None
    contact_id: str | None
    contact_name: str | None


class InboxPage(NamedTuple):
    """`next` None: there are no more."""

    items: list[Found]
    next: Place | None


async def page(connection: Connection, asked: Asked, after: Place | None, limit: int) -> InboxPage:
    """At most `limit` of those that fit: who has waited longest first; lists with the bot's in the order of their ids."""
    words: list[str] = await connection.fetchval(_LOWER, asked.words) or []
    most = max(CANDIDATES, limit) if asked.is_filtered else limit
    since, id = after or (BEGINNING, FIRST)
    rows = await connection.fetch(
        PAGES[asked.list], asked.bot_id, asked.owner, since, id, most + 1, asked.with_bot, asked.channel_id, words
    )
    fitting = [row for row in rows[:most] if row["fits"]]
    shown = fitting[:limit]
    last = shown[-1] if len(fitting) > limit else rows[most - 1] if len(rows) > most else None
    following = None if last is None else Place(last["owner_since"] or BEGINNING, str(last["id"]))
    return InboxPage(await find_all(connection, [row["id"] for row in shown]), following)


async def find(connection: Connection, id: str) -> Found | None:
    """One conversation, by its id."""
    found = await find_all(connection, [id])
    return found[0] if found else None


async def versions(connection: Connection, asked: Asked) -> dict[str, int]:
    """By id, of those that people answer, or are waited for: what changes with each event. MOST_WATCHED at most, who has
    waited longest first."""
    rows = await connection.fetch(_VERSIONS, asked.bot_id, asked.owner, asked.by_agents, asked.channel_id, MOST_WATCHED)
    return {str(row["id"]): row["version"] for row in rows}


async def find_all(connection: Connection, ids: list[Any]) -> list[Found]:
    """Those that there are, in the order of `ids`."""
    rows = await connection.fetch(_SHOWN, ids) if ids else []
    return [
        Found(
            str(row["id"]), row["key"], _states.decode(row["state"]), row["last_user_at"],
            row["contact_id"] and str(row["contact_id"]), row["contact_name"],
        )
        for row in rows
    ]  # fmt: skip
