"""`erasures again`: people who were erased since a backup are erased in what was restored from it."""

from __future__ import annotations

import typer

from operations.commands.asking import Token, Url, api_of, run
from operations.installation import installation

app = typer.Typer(help="Erasures of people.", no_args_is_help=True)


@app.callback()
def erasures() -> None:
    """Erasures of people."""


@app.command("again")
def again(context: typer.Context, url: Url = "", token: Token = "") -> None:
    """Erase again all who are known to be erased: after a database was restored, or where an erasure does not end.

    Needs Kafka, the databases of flow-engine and dispatcher, and flow-engine's own port. What is erased already stays so.
    """

    async def working() -> bool:
        from operations.erasures import (
            erase_again,
            erased_contacts,
        )  # Later than the module: `--help` needs none of it.

        async with api_of(context, "flow-engine", url, token) as api:
            known, unknown = await erase_again(api, sorted(await erased_contacts(installation(context))))
        typer.echo(f"{known} people are erased once more; of {unknown} the restored tables have nothing.")
        return True

    run(working())
