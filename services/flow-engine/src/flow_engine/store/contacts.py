"""Contacts are made whole, and changed per attribute: two batches that change one person do not undo each other."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from flow_engine.state.patches import dumps, split_profile, without_nul
from flow_engine.state.work import Work
from flow_engine.store.loading import contact_of
from flow_engine.store.port import OwnContact
from servicekit.columns import Columns
from servicekit.loop.batches import Connection


class ContactRow(NamedTuple):
    """A contact that a batch makes. The last four are JSON."""

    id: str
    project_id: str
    bot_id: str
    created_at: datetime
    external_id: str | None
    phone: str | None
    email: str | None
    profile: str
    variables: str
    tags: str
    flags: str


class PatchRow(NamedTuple):
    """A change of a contact, as state.patches.Patch.encode writes it. `if_version`: only where the row still has it."""

    id: str
    patch: str
    if_version: int | None


CONTACTS = Columns(ContactRow, "uuid text text timestamptz text text text jsonb jsonb jsonb jsonb")
PATCHES = Columns(PatchRow, "uuid jsonb bigint")
CREATE = f"""
INSERT INTO contact ({CONTACTS})
SELECT u.id, u.project_id, u.bot_id, u.created_at, u.external_id, u.phone, u.email, u.profile, u.variables,
       ARRAY(SELECT jsonb_array_elements_text(u.tags)), ARRAY(SELECT jsonb_array_elements_text(u.flags))
  FROM {CONTACTS.unnest()}
"""
PATCH = f"""
WITH locked AS MATERIALIZED (
    SELECT id, merged_into, version FROM contact WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
), patched AS (
UPDATE contact c SET
    version = c.version + 1,
    external_id = CASE WHEN u.patch -> 'columns' ? 'external_id' THEN u.patch -> 'columns' ->> 'external_id' ELSE c.external_id END,
    phone = CASE WHEN u.patch -> 'columns' ? 'phone' THEN u.patch -> 'columns' ->> 'phone' ELSE c.phone END,
    email = CASE WHEN u.patch -> 'columns' ? 'email' THEN u.patch -> 'columns' ->> 'email' ELSE c.email END,
    profile = (c.profile || coalesce(u.patch -> 'profile', '{{}}'))
              - ARRAY(SELECT jsonb_array_elements_text(u.patch -> 'profile_cleared')),
    variables = (c.variables || coalesce(u.patch -> 'variables', '{{}}'))
                - ARRAY(SELECT jsonb_array_elements_text(u.patch -> 'variables_cleared')),
    tags = CASE WHEN u.patch ?| '{{tags_added,tags_removed}}'
           THEN changed_set(c.tags, u.patch -> 'tags_added', u.patch -> 'tags_removed') ELSE c.tags END,
    flags = CASE WHEN u.patch ?| '{{flags_added,flags_removed}}'
            THEN changed_set(c.flags, u.patch -> 'flags_added', u.patch -> 'flags_removed') ELSE c.flags END
  FROM {PATCHES.unnest()}, locked
 WHERE c.id = u.id AND locked.id = c.id
)
SELECT count(*) FROM locked JOIN {PATCHES.unnest()} USING (id)
 WHERE locked.merged_into IS NOT NULL OR locked.version <> u.if_version
"""
"""Changes contacts. How many of them are another contact by now, or not as a change wants them: nothing may be kept then, as
they were read before."""
STAY = "SELECT count(*) FROM (SELECT FROM contact WHERE id = ANY ($1::uuid[]) ORDER BY id FOR KEY SHARE) there"
"""How many of these there are; they cannot be erased before the transaction ends, and who erases them then sees what it saved."""
BY_ID = """
SELECT m.id AS asked, c.id AS contact_id, c.version, c.external_id, c.phone, c.email, c.profile, c.variables, c.tags, c.flags,
       c.webhook_titles
  FROM unnest($1::text[], $2::uuid[]) u(bot_id, id) JOIN contact m USING (bot_id, id)
  JOIN contact c ON c.id = coalesce(m.merged_into, m.id)
"""


async def by_id(connection: Connection, ids: Sequence[tuple[str, str]]) -> dict[str, OwnContact]:
    """By id as given, for each (bot id, contact id) that there is."""
    rows = await connection.fetch(BY_ID, *zip(*ids, strict=True)) if ids else ()
    return {str(row["asked"]): OwnContact(contact_of(row), row["version"]) for row in rows}


def new_rows(work: Work) -> list[ContactRow]:
    """The contacts that a batch makes, in the order of their ids."""
    rows = []
    for id, new in sorted(work.new_contacts.items()):
        contact = work.contacts[id]
        columns, profile = split_profile(contact.profile)
        texts = {name: value if value is None else without_nul(str(value)) for name, value in columns.items()}
        rows.append(
            ContactRow(
                id,
                new.project_id,
                new.bot_id,
                new.created_at,
                **texts,
                profile=dumps(profile),
                variables=dumps(contact.variables),
                tags=dumps(contact.tags),
                flags=dumps(contact.flags),
            )
        )
    return rows


def patch_rows(work: Work, merged: dict[str, str]) -> list[list[PatchRow]]:
    """The changes of contacts that there were before, in the order of their ids: as they are locked.

    `merged`: contacts that this batch has merged, and into whom. A list for each statement: one changes a contact once.
    """
    rounds: list[dict[str, PatchRow]] = []
    for id, patch in sorted(work.patches.items(), key=lambda item: merged.get(item[0], item[0])):
        row = PatchRow(merged.get(id, id), patch.encode(), work.if_versions.get(id))
        free = next((one for one in rounds if row.id not in one), None)
        if free is None:
            rounds.append(free := {})
        free[row.id] = row
    return [list(one.values()) for one in rounds]
