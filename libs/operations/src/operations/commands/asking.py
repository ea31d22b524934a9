"""Asking the API of an installation as its operator: what every verb does that stands on it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Annotated

import httpx
import typer

from operations.api import Api
from operations.errors import CommandError
from operations.installation import installation

URL = typer.Option(help="The service's own port. Without it: the installation's.")
TOKEN = typer.Option(envvar="SWITCHHOOK_ADMIN_TOKEN", help="The operator's token. Without it: the installation's.")
Url = Annotated[str, URL]
Token = Annotated[str, TOKEN]


def run(work: Awaitable[bool]) -> None:
    """Exit code 1 unless all of it could be done."""

    async def working() -> bool:
        try:
            return await work
        except httpx.HTTPError as error:
            raise CommandError(f"The API does not answer ({error or type(error).__name__}).") from error

    raise typer.Exit(0 if asyncio.run(working()) else 1)


def api_of(context: typer.Context, service: str, url: str, token: str, project: str | None = None) -> Api:
    """The service that was named, or the installation's; for one project, if one is named."""
    here = installation(context)
    url, token = url or here.url_of(service), token or here.token
    if not (url and token):
        raise CommandError(
            f"It is not known where {service} is, or its token: {here.how}, or give --url and SWITCHHOOK_ADMIN_TOKEN."
        )
    return Api(url, token, project)
