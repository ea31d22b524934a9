"""`migrate`: bringing the services' tables up to date."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from operations.errors import CommandError
from operations.installation import installation
from operations.services import OWNERS

Services = Annotated[
    list[str] | None, typer.Argument(metavar="[SERVICE]...", help="Without one: all whose databases are known.")
]


def migrate_tables(context: typer.Context, services: Services = None) -> None:
    """Bring the tables of registry, flow-engine and dispatcher up to date. Services of the release before go on meanwhile."""
    from operations.migrations import migrate

    here = installation(context)
    for service in services or ():
        here.database(service)
    dsns = {service: here.dsns[service] for service in OWNERS if service in (services or here.dsns)}
    if not dsns:
        raise CommandError(f"It is not known where the databases are: {here.how}.")

    async def migrating() -> None:
        async for line in migrate(dsns):
            typer.echo(line)

    asyncio.run(migrating())
