"""`setup`: everything that an installation needs before its services start, and again at each upgrade."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated

import typer

from operations.commands.acls import Principals
from operations.commands.topics import MinInsync, Partitions, Replicas, laid_out
from operations.errors import CommandError
from operations.installation import Installation, installation
from operations.layout import Layout

Acls = Annotated[
    bool, typer.Option("--acls/--no-acls", envvar="SWITCHHOOK_ACLS", help="Make access control lists in Kafka, too.")
]


def set_up(
    context: typer.Context,
    replicas: Replicas = None,
    min_insync: MinInsync = None,
    partitions: Partitions = None,
    acls: Acls = True,
    users: Principals = None,
) -> None:
    """Make the database with its roles, the tables, Kafka's topics and access control lists. What is there is left as it is.

    Run it before the services of a new installation start, and before those of a new release do. Needs the DSNs of all
    roles; SWITCHHOOK_DATABASE_ADMIN makes database and roles, without it they have to be there.
    """
    from operations.acls import principals

    here = installation(context)
    granted = principals(users or ()) if acls else None
    asyncio.run(_set_up(here, laid_out(here, replicas, min_insync, partitions), granted))


async def _set_up(here: Installation, layout: Layout, users: Mapping[str, str] | None) -> None:
    from operations.acls import apply
    from operations.dashboards import prepare_reader
    from operations.databases import prepare
    from operations.migrations import migrate
    from operations.topics import create_topics, plan

    cluster = here.kafka()
    if not here.dsns:
        raise CommandError(f"It is not known where the databases are: {here.how}.")
    if here.admin_dsn:
        await prepare(here.admin_dsn, here.dsns)
        typer.echo("database and roles are there")
    for name in await create_topics(cluster, layout=layout):
        typer.echo(f"created {name}")
    for each in await plan(cluster, layout):
        typer.echo(each.line)
    if users is not None:
        typer.echo(f"{await apply(cluster, users)} grants are there")
    async for line in migrate(here.dsns):
        typer.echo(line)
    if here.admin_dsn and here.dashboards_dsn:
        await prepare_reader(here.admin_dsn, here.dsns, here.dashboards_dsn)
        typer.echo("the dashboards' role may read")
