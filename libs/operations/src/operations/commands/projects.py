"""`project` and `token`: what an operator makes before anybody else can begin."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from contracts.printable import printable
from operations.api import items
from operations.commands.asking import Token, Url, api_of, run
from operations.commands.project_topics import topics_of_project

Project = Annotated[str, typer.Option(help="The project's id, as `project list` shows it.")]

project_app = typer.Typer(help="Projects.", no_args_is_help=True)
project_app.command("kafka")(topics_of_project)
token_app = typer.Typer(help="Tokens of a project.", no_args_is_help=True)


@project_app.command("create")
def create_project(context: typer.Context, name: str, url: Url = "", token: Token = "") -> None:
    """Make a project; its id alone is printed."""

    async def create() -> bool:
        async with api_of(context, "registry", url, token) as api:
            typer.echo((await api.post("/v1/projects", {"name": name}))["id"])
        return True

    run(create())


@project_app.command("list")
def list_projects(context: typer.Context, url: Url = "", token: Token = "") -> None:
    """One line each: id, slug, name."""

    async def show() -> bool:
        async with api_of(context, "registry", url, token) as api:
            async for project in items(api, "/v1/projects?limit=200"):
                typer.echo(printable(f"{project['id']}  {project['slug']}  {project['name']}"))
        return True

    run(show())


@token_app.command("create")
def create_token(
    context: typer.Context,
    name: str,
    project: Project,
    scope: Annotated[list[str], typer.Option(help="What it may do; may be repeated (docs/reference/tokens.md).")],
    expires_at: Annotated[str, typer.Option(help="RFC 3339. Without it: never.")] = "",
    url: Url = "",
    token: Token = "",
) -> None:
    """Make a token; it alone is printed, and shown this once."""

    async def create() -> bool:
        body: dict[str, Any] = {"name": name, "scopes": scope}
        async with api_of(context, "registry", url, token, project) as api:
            made = await api.post("/v1/tokens", body | ({"expires_at": expires_at} if expires_at else {}))
        typer.echo(made["token"])
        for warning in made.get("warnings", ()):
            typer.echo(warning, err=True)
        return True

    run(create())


@token_app.command("list")
def list_tokens(context: typer.Context, project: Project, url: Url = "", token: Token = "") -> None:
    """One line each: id, name, scopes, when it expires."""

    async def show() -> bool:
        async with api_of(context, "registry", url, token, project) as api:
            await api.get(f"/v1/projects/{quote(project, safe='')}")  # Else one that there is not would have no tokens.
            async for each in items(api, "/v1/tokens?limit=200"):
                scopes, end = ",".join(each["scopes"]), each.get("expires_at") or "never"
                typer.echo(printable(f"{each['id']}  {each['name']}  {scopes}  expires {end}"))
        return True

    run(show())


@token_app.command("revoke")
def revoke_token(context: typer.Context, id: str, project: Project, url: Url = "", token: Token = "") -> None:
    """End a token. Every service refuses it within a second."""

    async def revoke() -> bool:
        async with api_of(context, "registry", url, token, project) as api:
            await api.delete(f"/v1/tokens/{id}")
        typer.echo(f"revoked {id}")
        return True

    run(revoke())
