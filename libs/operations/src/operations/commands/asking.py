"""Asking the API of an installation as its operator: what every verb does that stands on it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable
from typing import Annotated

import httpx
import typer

from operations.api import Api
from operations.errors import CommandError, said
from operations.installation import installation

URL = typer.Option(help="The service's own port. Without it: the installation's.")
TOKEN = typer.Option(envvar="SWITCHHOOK_ADMIN_TOKEN", help="The operator's token. Without it: the installation's.")
URL_FORM = re.compile(r"https?://([\w.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[\w./-]*)?")
TOKEN_FORM = re.compile("[!-~]+")
Url = Annotated[str, URL]
Token = Annotated[str, TOKEN]


def run(work: Awaitable[bool]) -> None:
    """Exit code 1 unless all of it could be done. CommandError when the API does not answer."""

    async def working() -> bool:
        try:
            return await work
        except httpx.HTTPError as error:
            url = error.request.url
            raise CommandError(
                f"The API at {url.scheme}://{url.netloc.decode()} does not answer ({said(error)}): start what answers there, or"
                " name the service's own port by --url."
            ) from error

    raise typer.Exit(0 if asyncio.run(working()) else 1)


def api_of(context: typer.Context, service: str, url: str, token: str, project: str | None = None) -> Api:
    """The service that was named, or the installation's; for one project, if one is named."""
    here = installation(context)
    url, token = url or here.url_of(service), token or here.token
    if not (url and token):
        raise CommandError(
            f"It is not known where {service} is, or its token: {here.how}, or give --url and SWITCHHOOK_ADMIN_TOKEN."
        )
    if not URL_FORM.fullmatch(url):
        raise CommandError(f"The URL of {service} has to be http://host:port or https://host:port.")
    if not TOKEN_FORM.fullmatch(token):
        raise CommandError(
            "The operator's token holds what no token does, such as a space or an end of line: see SWITCHHOOK_ADMIN_TOKEN."
        )
    return Api(url, token, project)
