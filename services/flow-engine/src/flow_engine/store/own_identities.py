"""Identifiers that contacts were told by their own keys: those of a whole batch in three statements.

Unlike what a conversation tells (store.identities) they merge nobody: an external id that another contact has fails the batch, which
is then judged again and refuses it. So only what each contact has in the end counts, and the order in between does not.
"""

from __future__ import annotations

from collections.abc import Sequence

from flow_engine.errors import StaleContact
from flow_engine.state.rows import Identity
from servicekit.columns import Columns
from servicekit.loop.batches import Connection

IDENTITIES = Columns(Identity, "text text text uuid")
_SELVES = """
SELECT id, coalesce(merged_into, id) AS self FROM contact WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""
_DROP_OTHERS = f"""
DELETE FROM identity i USING {IDENTITIES.unnest()} WHERE i.contact_id = u.contact_id AND i.kind = u.kind AND i.value <> u.value
"""
_PUT = f"""
INSERT INTO identity (bot_id, kind, value, contact_id)
SELECT u.bot_id, u.kind, u.value, u.contact_id FROM {IDENTITIES.unnest()}
ON CONFLICT (bot_id, kind, value) DO UPDATE
   SET contact_id = CASE WHEN EXCLUDED.kind = 'external_id' THEN identity.contact_id ELSE EXCLUDED.contact_id END
RETURNING kind, value, contact_id
"""
"""Waits for who is being told one of them at the same moment. An external id stays whose it is."""


async def save(told: Sequence[Identity], new: set[str], connection: Connection) -> None:
    """Keep them. `new`: the contacts that this transaction makes, who had none before. Raises StaleContact."""
    ids = sorted({one.contact_id for one in told} - new)
    selves = {str(row["id"]): str(row["self"]) for row in (await connection.fetch(_SELVES, ids) if ids else ())}
    known = [one._replace(contact_id=selves[one.contact_id]) if one.contact_id in selves else one for one in told]
    last = {(one.contact_id, one.kind): one for one in known}.values()
    if before := [one for one in last if one.contact_id not in new]:
        await connection.execute(_DROP_OTHERS, *IDENTITIES.arrays(before))
    holders = {(one.bot_id, one.kind, one.value): one for one in last if one.value}
    rows = [holders[name] for name in sorted(holders)]
    kept = await connection.fetch(_PUT, *IDENTITIES.arrays(rows)) if rows else []
    wanted = {(one.kind, one.value, one.contact_id) for one in rows}
    if any((row["kind"], row["value"], str(row["contact_id"])) not in wanted for row in kept):
        raise StaleContact("another contact was told an external id since it was looked for")
