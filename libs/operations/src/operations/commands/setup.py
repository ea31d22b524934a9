"""`setup`: everything that an installation needs before its services start, and again at each upgrade."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from operations.errors import CommandError
from operations.installation import Installation, installation

Replicas = Annotated[int, typer.Option(envvar="SWITCHHOOK_TOPIC_REPLICAS", help="Copies of each partition.")]
Acls = Annotated[
    bool, typer.Option("--acls/--no-acls", envvar="SWITCHHOOK_ACLS", help="Make access control lists in Kafka, too.")
]


def set_up(context: typer.Context, replicas: Replicas = 3, acls: Acls = True) -> None:
    """Make the database with its roles, the tables, Kafka's topics and access control lists. What is there is left as it is.

    Run it before the services of a new installation start, and before those of a new release do. Needs the DSNs of all
    roles; SWITCHHOOK_DATABASE_ADMIN makes database and roles, without it they have to be there.
    """
    asyncio.run(_set_up(installation(context), replicas, acls))


async def _set_up(here: Installation, replicas: int, acls: bool) -> None:
    from operations.acls import apply
    from operations.databases import prepare
    from operations.migrations import migrate
    from operations.topics import create_topics

    cluster = here.kafka()
    if not here.dsns:
        raise CommandError(f"It is not known where the databases are: {here.how}.")
    if here.admin_dsn:
        await prepare(here.admin_dsn, here.dsns)
        typer.echo("database and roles are there")
    for name in await create_topics(cluster, replicas=replicas):
        typer.echo(f"created {name}")
    if acls:
        typer.echo(f"{await apply(cluster)} grants are there")
    async for line in migrate(here.dsns):
        typer.echo(line)
