"""With which key-encryption keys the registry's secrets are sealed, as its database has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg

from contracts.registry import ApiCall, Channel, Endpoint, Project, Secret
from operations.errors import CommandError
from operations.postgres import asked

KINDS = [model.KIND for model in (Project, Channel, Secret, Endpoint, ApiCall)]
"""Entities that have something sealed."""
KEPT = timedelta(days=8)
"""How long the registry keeps answers to requests with an Idempotency-Key, sealed."""
_FIELDS = """
SELECT sealed #>> '{}' AS key, count(*) AS count
  FROM entity, jsonb_path_query(data, 'strict $.**.kek_id') AS sealed
 WHERE kind = ANY ($1::text[]) AND deleted_at IS NULL GROUP BY 1
"""
_ANSWERS = "SELECT answer ->> 'kek_id' AS key, count(*) AS count, max(created_at) AS last FROM idempotency GROUP BY 1"


@dataclass(frozen=True)
class SealedWith:
    """What one key has sealed: fields of entities, and answers that are kept, the last of them until `until`."""

    fields: int = 0
    answers: int = 0
    until: datetime | None = None


async def sealed_with(dsn: str) -> dict[str, SealedWith]:
    """By the keys' ids. `dsn`: of the registry's role. CommandError when PostgreSQL does not tell."""
    async with asked(dsn, "registry", "did not tell what is sealed") as connection:
        fields = {row["key"]: row["count"] for row in await connection.fetch(_FIELDS, KINDS)}
        answers = {row["key"]: row for row in await connection.fetch(_ANSWERS) if row["key"]}
    return {key: _of(fields.get(key, 0), answers.get(key)) for key in sorted(fields.keys() | answers.keys())}


def _of(fields: int, answers: asyncpg.Record | None) -> SealedWith:
    if answers is None:
        return SealedWith(fields)
    return SealedWith(fields, answers["count"], answers["last"] + KEPT)


def key_ids(kek: str) -> tuple[str, ...]:
    """The ids in SWITCHHOOK_KEK, the current one first; empty without any. CommandError when it is none."""
    from servicekit.credentials.sealing import KeyRing  # Later than the module: it is cryptography.
    from servicekit.misconfigured import Misconfigured

    if not kek:
        return ()
    try:
        ring = KeyRing(kek)
    except Misconfigured as error:
        raise CommandError(f"{error}.") from error
    return (ring.current, *(each for each in ring.ids if each != ring.current))


def left_of(sealed: Mapping[str, SealedWith], current: str) -> int:
    """How many fields other keys than the current one have sealed."""
    return sum(each.fields for key, each in sealed.items() if key != current)


def told(sealed: Mapping[str, SealedWith], current: str) -> list[str]:
    """What each key has sealed, a line each."""
    return [
        f"{key}{' (the current one)' if key == current else ''}: {each.fields} secrets, {each.answers} kept answers"
        for key, each in sealed.items()
    ] or ["nothing is sealed"]


def when(sealed: Mapping[str, SealedWith], current: str) -> list[str]:
    """Which keys may be taken out of SWITCHHOOK_KEK, and from when on."""
    lines = []
    for key, each in sealed.items():
        if key == current:
            continue
        if each.fields:
            lines.append(f"{key} has to stay: {each.fields} secrets are sealed with it")
        elif each.until is not None:
            moment = each.until.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
            lines.append(
                f"{key} may be taken away from {moment} on: until then answers to requests with an Idempotency-Key are kept"
                " that it sealed, and a repeat of one that cannot be opened is 422"
            )
    if not left_of(sealed, current):
        lines.append("keys that are not named here may be taken away now")
    return lines
