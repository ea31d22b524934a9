"""Who a person is: verified identifiers, each of one contact of a bot, and contacts that turn out to be one.

An identifier is the contact's of whom it was verified last, and of its kind that contact has no other. One exception: an
external id is the key that another system has for a person. So a contact that had none yet and is told one that another
contact holds is that contact: it is merged into it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from flow_engine.errors import StaleContact
from flow_engine.state.patches import COLUMNS, dumps, joined, split_profile
from flow_engine.state.rows import Identity
from flow_engine.state.work import Work
from flow_engine.store import own_identities, webhook_titles
from flow_engine.store.loading import contact_of
from flow_engine.store.port import Name
from flowlang.model import Contact
from servicekit.columns import Array, Columns
from servicekit.loop.batches import Connection

IDENTITIES = Columns(Identity, "text text text uuid")
_IS_NEWS = f"""
SELECT EXISTS (SELECT FROM {IDENTITIES.unnest()} WHERE NOT EXISTS (
    SELECT FROM identity i
     WHERE i.bot_id = u.bot_id AND i.kind = u.kind AND i.value = u.value AND i.contact_id = u.contact_id))
"""
_SELF = "SELECT coalesce(merged_into, id) FROM contact WHERE id = $1 FOR NO KEY UPDATE"
_HOLDER = "SELECT contact_id FROM identity WHERE bot_id = $1 AND kind = $2 AND value = $3 FOR UPDATE"
_HAS = "SELECT EXISTS (SELECT FROM identity WHERE contact_id = $1 AND kind = $2)"
_DROP_OTHERS = "DELETE FROM identity WHERE contact_id = $1 AND kind = $2 AND value <> $3"
_PUT = """
INSERT INTO identity (bot_id, kind, value, contact_id) VALUES ($1, $2, $3, $4)
ON CONFLICT (bot_id, kind, value) DO UPDATE SET contact_id = EXCLUDED.contact_id
"""
_BOTH = """
SELECT id AS contact_id, external_id, phone, email, profile, variables, tags, flags, webhook_titles
  FROM contact WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""
_JOIN = f"""
UPDATE contact SET {", ".join(f"{name} = ${place}" for place, name in enumerate(COLUMNS, 2))},
       profile = $5, variables = $6, tags = $7, flags = $8, version = version + 1
 WHERE id = $1
"""
_ARE_THEMSELVES = """
SELECT count(*) FROM (
    SELECT merged_into FROM contact WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE) both_ WHERE merged_into IS NULL
"""
_POINT = "UPDATE contact SET merged_into = $2 WHERE id = $1 OR merged_into = $1"
_HAND_OVER = "UPDATE identity SET contact_id = $2 WHERE contact_id = $1"
_HOLDERS = """
SELECT i.bot_id, i.kind, i.value, p.id AS contact_id, p.external_id, p.phone, p.email, p.profile, p.variables, p.tags, p.flags,
       p.webhook_titles
  FROM unnest($1::text[], $2::text[], $3::text[]) u(bot_id, kind, value)
  JOIN identity i USING (bot_id, kind, value) JOIN contact p ON p.id = i.contact_id
"""


async def holders(connection: Connection, names: Sequence[Name]) -> dict[Name, Contact]:
    """Whose these verified identifiers are; nobody's are left out."""
    rows = await connection.fetch(_HOLDERS, *map(Array, zip(*names, strict=True))) if names else ()
    return {Name(row["bot_id"], row["kind"], row["value"]): contact_of(row) for row in rows}


async def save(work: Work, connection: Connection) -> dict[str, str]:
    """Keep what a batch has verified, in its order. Contacts that were merged by that -> who they are now."""
    merged: dict[str, str] = {}
    is_news = any(one.contact_id in work.new_contacts for one in work.verified)
    if work.verified and not is_news:
        is_news = await connection.fetchval(_IS_NEWS, *IDENTITIES.arrays(work.verified))
    if not is_news:
        return merged
    own = [one for one in work.verified if one.contact_id in work.own_writes and _told_last(one, work)]
    for identity in work.verified:
        if identity.contact_id not in work.own_writes:
            await _verify(identity, merged, connection)
    if own:
        await own_identities.save(own, set(work.new_contacts), connection)
    return merged


def _told_last(identity: Identity, work: Work) -> bool:
    """Whether the batch has told it nobody else since."""
    return work.told.get(identity[:3], identity.contact_id) == identity.contact_id


async def _verify(identity: Identity, merged: dict[str, str], connection: Connection) -> None:
    *name, told_of = identity
    contact_id = await connection.fetchval(_SELF, told_of)
    if contact_id is None:
        return
    holder = await connection.fetchval(_HOLDER, *name)
    is_key = identity.kind == "external_id" and holder not in (None, contact_id)
    if is_key and not await connection.fetchval(_HAS, contact_id, identity.kind):
        await _merge(contact_id, holder, connection)
        gone, survivor = str(contact_id), str(holder)
        merged.update({id: survivor for id, into in merged.items() if into == gone}, **{gone: survivor})
        return
    await connection.execute(_DROP_OTHERS, contact_id, identity.kind, identity.value)
    if identity.value:
        await connection.execute(_PUT, *name, contact_id)


async def merge(merges: Mapping[str, str], connection: Connection) -> None:
    """Make contacts part of others. Raises StaleContact where one of them is another contact by now."""
    for gone, survivor in merges.items():
        pair = [UUID(gone), UUID(survivor)]
        if await connection.fetchval(_ARE_THEMSELVES, pair) != len(pair):
            raise StaleContact("a contact was merged into another since it was read")
        await _merge(pair[0], pair[1], connection)


async def _merge(contact_id: UUID, survivor_id: UUID, connection: Connection) -> None:
    """The survivor gets what only the other one had."""
    rows = {row["contact_id"]: contact_of(row) for row in await connection.fetch(_BOTH, [contact_id, survivor_id])}
    whole = joined(rows[survivor_id], rows[contact_id])
    columns, profile = split_profile(whole.profile)
    await connection.execute(
        _JOIN, survivor_id, *columns.values(), dumps(profile), dumps(whole.variables), whole.tags, whole.flags
    )
    await webhook_titles.join(contact_id, survivor_id, connection)
    await connection.execute(_POINT, contact_id, survivor_id)
    await connection.execute(_HAND_OVER, contact_id, survivor_id)
