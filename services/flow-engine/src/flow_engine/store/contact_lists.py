"""Contacts as the data API lists them: a page of one bot's, with what it takes to show them.

A page is read in two steps. Candidates come from an index, in the order of the list; the contacts themselves are then read by
their ids, and those that do not fit all filters are left out. With one filter every candidate fits. With several the
candidates of one page are bounded, so a page may hold fewer contacts than were asked for, and go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from contracts.ids import split_conversation_key
from flow_engine.store.loading import contact_of
from flow_engine.store.segment_sql import Condition
from flowlang.model import Contact
from servicekit.loop.batches import Connection

CANDIDATES = 1_000
"""How many contacts one page looks at where it has several filters."""
FIRST_PARAMETER = 8
"""The number of the first parameter of a segment's condition."""
MOST_CHANNELS = 50
"""Conversations of one contact that are shown, those last used."""
_ALL = """
SELECT '' AS term, id FROM contact WHERE bot_id = $1 AND merged_into IS NULL AND id < $2 ORDER BY id DESC LIMIT $3
"""
_LABELLED = """
SELECT '' AS term, contact_id AS id
  FROM contact_term WHERE bot_id = $1 AND kind = $4 AND term = left($5, 256) AND contact_id < $2
 ORDER BY contact_id DESC LIMIT $3
"""
_FOUND = """
SELECT term, contact_id AS id FROM contact_term
 WHERE bot_id = $1 AND kind = 'word' AND (term, contact_id) > ($5, $2) AND term < $4 || U&'\\+10FFFF'
 ORDER BY term, contact_id LIMIT $3
"""
"""The place is the word itself at first: PostgreSQL begins to read at the place, whatever else is said of the term."""
_COLUMNS = """
c.id, c.id AS contact_id, c.project_id, c.bot_id, c.external_id, c.phone, c.email, c.profile, c.variables, c.tags, c.flags, c.version,
c.created_at, c.webhook_titles
"""
_CHOSEN = """
  FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY u(term, id, place)
  JOIN LATERAL (SELECT * FROM contact WHERE id = u.id OFFSET 0) c ON true
 WHERE c.merged_into IS NULL
   AND ($3::text IS NULL OR c.tags @> ARRAY[$3])
   AND ($4::text IS NULL OR c.flags @> ARRAY[$4])
   AND ($7::text IS NULL OR c.webhook_titles @> ARRAY[$7])
   AND NOT EXISTS (SELECT FROM unnest($5::text[]) asked(word)
                    WHERE NOT EXISTS (SELECT FROM unnest(contact_words(c)) w(word) WHERE starts_with(w.word, asked.word)))
   AND ($6::text IS NULL OR u.term = (
       SELECT min(w.word COLLATE "C") FROM unnest(contact_words(c)) w(word) WHERE starts_with(w.word, $6)))
"""
"""A contact with several words that begin so stands where the first of them does. OFFSET keeps the planner from reading the
whole table for a long list of ids."""
_ONE = f"""
SELECT {_COLUMNS} FROM contact asked JOIN contact c ON c.id = coalesce(asked.merged_into, asked.id) WHERE asked.id = $1
"""
_LOWER = "SELECT array_agg(left(lower(word COLLATE pg_c_utf8), 256)) FROM unnest($1::text[]) word"
CONVERSATIONS = """
SELECT owner, key, last_user_at, state
  FROM (SELECT id AS owner, id FROM unnest($1::uuid[]) id
         UNION ALL SELECT merged_into, id FROM contact WHERE merged_into = ANY ($1)) theirs
  JOIN LATERAL (SELECT key, last_user_at, state FROM conversation WHERE contact_id = theirs.id
                 ORDER BY last_user_at DESC NULLS LAST, key LIMIT $2) c ON true
 ORDER BY last_user_at DESC NULLS LAST, key
"""
"""Of contacts and of who was merged into them: at most $2 of each, the last used first."""
FIRST, LAST = "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"


class Filter(NamedTuple):
    """Which contacts of a bot. `words`: each is the beginning of a word of the contact's name or identifiers.

    `condition`: a segment's, its parameters numbered from FIRST_PARAMETER. `label`: what is known of all that are looked for.
    """

    bot_id: str
    tag: str | None = None
    flag: str | None = None
    words: tuple[str, ...] = ()
    condition: Condition | None = None
    label: tuple[str, str] | None = None
    webhook_title: str | None = None

    @property
    def is_several(self) -> bool:
        return self.condition is not None or self._several > 1

    @property
    def _several(self) -> int:
        labels = (self.tag, self.flag, self.webhook_title)
        return sum(label is not None for label in labels) + len(self.words)


class Place(NamedTuple):
    """Where a page ends. `term`: the word that the contact was found by; lists without a search have none."""

    term: str
    id: str


class ChannelOf(NamedTuple):
    """A contact's conversation. `reachable` as flowlang.model.Conversation has it; `unsubscribed`, too, of who has opted out."""

    channel_id: str
    channel_type: str
    peer_id: str
    reachable: str
    last_user_at: datetime | None


class Listed(NamedTuple):
    """A contact with its conversations, the last used first. `version` counts its changes."""

    project_id: str
    bot_id: str
    contact: Contact
    version: int
    created_at: datetime
    channels: list[ChannelOf]


class ContactPage(NamedTuple):
    """`next` None: there are no more. `places`: of each of them, to go on behind it."""

    items: list[Listed]
    next: Place | None
    places: Sequence[Place] = ()


class _State(msgspec.Struct):
    """What is read of a conversation's state."""

    channel_type: str = ""
    reachable: str = "unknown"
    opted_out: bool = False


_states = msgspec.json.Decoder(_State)


async def page(connection: Connection, asked: Filter, after: Place | None, limit: int) -> ContactPage:
    """Of those that fit, at most `limit`: those made last first, or by the word that they were found by."""
    shown, following = await _page(connection, _COLUMNS, asked, after, limit)
    return ContactPage(await _with_channels(connection, shown), following, [_place(row) for row in shown])


async def ids(connection: Connection, asked: Filter, after: Place | None, limit: int) -> tuple[list[str], Place | None]:
    """The ids of such a page, and where it ends (None: there are no more)."""
    rows, following = await _page(connection, "c.id", asked, after, limit)
    return [str(row["id"]) for row in rows], following


async def count(connection: Connection, asked: Filter, after: Place | None, most: int) -> tuple[int, Place | None]:
    """How many of the next `most` candidates fit, and where these end (None: there are no more)."""
    words = await _lower(connection, asked.words)
    longest = max(words, key=len, default=None)
    candidates = await _candidates(connection, asked, longest, after, most + 1)
    looked_at = candidates[:most]
    found = await _chosen(connection, "count(*)", looked_at, asked, words, longest, "")
    return found[0]["count"], _place(looked_at[-1]) if len(candidates) > most else None


async def _page(
    connection: Connection, columns: str, asked: Filter, after: Place | None, limit: int
) -> tuple[Sequence[Any], Place | None]:
    words = await _lower(connection, asked.words)
    longest = max(words, key=len, default=None)
    most = max(CANDIDATES, limit) if asked.is_several else limit
    candidates = await _candidates(connection, asked, longest, after, most + 1)
    looked_at = candidates[:most]
    order = f"ORDER BY u.place LIMIT {limit + 1:d}"
    rows = await _chosen(connection, f"{columns}, u.term", looked_at, asked, words, longest, order)
    shown = rows[:limit]
    last = shown[-1] if len(rows) > limit else looked_at[-1] if len(candidates) > most else None
    return shown, None if last is None else _place(last)


async def _lower(connection: Connection, words: Sequence[str]) -> list[str]:
    lower: list[str] = await connection.fetchval(_LOWER, words) if words else []
    return lower


async def _chosen(
    connection: Connection, columns: str, candidates: Sequence[Any], asked: Filter, words: list[str],
    word: str | None, order: str,
) -> Sequence[Any]:  # fmt: skip
    condition = asked.condition
    where = f"AND ({condition.where})" if condition else ""
    return await connection.fetch(
        f"SELECT {columns} {_CHOSEN} {where} {order}",
        [row["term"] for row in candidates], [row["id"] for row in candidates],
        asked.tag, asked.flag, words, word, asked.webhook_title, *(condition.parameters if condition else ()),
    )  # fmt: skip


def _place(row: Any) -> Place:
    return Place(row["term"], str(row["id"]))


async def _candidates(
    connection: Connection, asked: Filter, word: str | None, after: Place | None, most: int
) -> Sequence[Any]:
    if word is not None:
        place = max(after or Place("", ""), Place(word, FIRST))
        return await connection.fetch(_FOUND, asked.bot_id, place.id, most, word, place.term)
    before = after.id if after else LAST
    labels = ("webhook_title", asked.webhook_title), ("tag", asked.tag), ("flag", asked.flag)
    for kind, label in (*labels, asked.label or ("", None)):
        if label is not None:
            return await connection.fetch(_LABELLED, asked.bot_id, before, most, kind, label)
    return await connection.fetch(_ALL, asked.bot_id, before, most)


async def find(connection: Connection, contact_id: str) -> Listed | None:
    """The contact; of one that was merged, who it is now."""
    row = await connection.fetchrow(_ONE, contact_id)
    return (await _with_channels(connection, [row]))[0] if row is not None else None


async def _with_channels(connection: Connection, rows: Sequence[Any]) -> list[Listed]:
    theirs: dict[Any, list[ChannelOf]] = {row["id"]: [] for row in rows}
    for row in await connection.fetch(CONVERSATIONS, list(theirs), MOST_CHANNELS) if theirs else ():
        if len(theirs[row["owner"]]) < MOST_CHANNELS:
            theirs[row["owner"]].append(_channel(row))
    return [
        Listed(row["project_id"], row["bot_id"], contact_of(row), row["version"], row["created_at"], theirs[row["id"]])
        for row in rows
    ]


def _channel(row: Any) -> ChannelOf:
    _, channel_id, peer_id = split_conversation_key(row["key"])
    state = _states.decode(row["state"])
    left = state.opted_out and state.reachable == "subscribed"
    reachable = "unsubscribed" if left else state.reachable
    return ChannelOf(channel_id, state.channel_type, peer_id, reachable, row["last_user_at"])
