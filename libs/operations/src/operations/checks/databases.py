"""PostgreSQL: migrations, clock and size of each service's database, and with which keys the secrets are sealed."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping

import asyncpg

from operations.checks.brokers import gigabytes
from operations.checks.clocks import away, clock
from operations.errors import CommandError
from operations.installation import Installation
from operations.migrations import revision
from operations.postgres import asked
from operations.report import Check
from operations.sealed_keys import SealedWith, key_ids, sealed_with
from operations.services import OWNERS
from servicekit.revisions import newest_of

_ABOUT = """
SELECT extract(epoch FROM clock_timestamp())::float8 AS now, current_database() AS name,
       pg_database_size(current_database()) AS size, inet_server_addr()::text || ':' || inet_server_port() AS server
"""


async def database_checks(here: Installation) -> AsyncIterator[Check]:
    """Of each service's database whether it is migrated; of each database its size and its server's clock, once."""
    known: set[tuple[str, str]] = set()
    for service, dsn in here.dsns.items():
        try:
            yield of_revision(here, service, await revision(service, dsn))
            sent = time.time()
            row = await _about(service, dsn)
        except CommandError as error:
            yield Check(f"the database of {service} could not be looked at", False, f"{error} {here.when_away}")
            continue
        if (database := (str(row["server"]), str(row["name"]))) not in known:
            known.add(database)
            yield Check(f"the database {row['name']} takes {gigabytes(row['size'])}", fine=True)
            if wrong := clock("PostgreSQL", away(sent, time.time(), row["now"], row["now"])):
                yield wrong


def of_revision(here: Installation, service: str, found: str | None) -> Check:
    """Whether a service's tables are those of this release."""
    newest = newest_of(OWNERS[service])
    if found is not None and found > newest:
        advice = f"use the {here.command} of that release"
        return Check(f"{service}: its tables are at {found}, of a release after this command's {newest}", False, advice)
    what = f"{service}: its tables are at {found or 'nothing'}" + ("" if found == newest else f", {newest} is meant")
    return Check(what, found == newest, f"`{here.command} migrate` brings them up to date")


async def _about(service: str, dsn: str) -> asyncpg.Record:
    async with asked(dsn, service, "did not answer") as connection:
        row = await connection.fetchrow(_ABOUT)
    assert row is not None
    return row


async def key_checks(here: Installation) -> AsyncIterator[Check]:
    """Of each key-encryption key what it has sealed, against SWITCHHOOK_KEK where that is known."""
    if (dsn := here.dsns.get("registry")) is None:
        return
    for check in of_keys(here, await sealed_with(dsn), key_ids(here.kek)):
        yield check


def of_keys(here: Installation, sealed: Mapping[str, SealedWith], known: tuple[str, ...]) -> list[Check]:
    """`known`: the ids in SWITCHHOOK_KEK, the current one first; empty where it was not given."""
    found = []
    for key, each in sealed.items():
        what = f"{each.fields} secrets and {each.answers} kept answers are sealed with the key {key}"
        if not known or key == known[0]:
            found.append(Check(what, fine=True))
        elif key not in known:
            advice = "put that key back behind the current one in SWITCHHOOK_KEK: nobody can open them"
            found.append(Check(f"{what}, which is not in SWITCHHOOK_KEK", not each.fields, advice))
        else:
            advice = f"the registry seals them anew by itself; `{here.command} rotate-kek` says when it is done"
            found.append(Check(f"{what}, which is not the current one", not each.fields, advice))
    return found
