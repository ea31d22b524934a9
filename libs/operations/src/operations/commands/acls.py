"""`acls`: who may do what on Kafka."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from operations.commands.checkpoints import Kafka
from operations.installation import installation

Principals = Annotated[
    list[str] | None,
    typer.Option(
        "--principal",
        envvar="SWITCHHOOK_PRINCIPALS",
        help="NAME=USER: who a service, or operator, logs in as; or a pattern for all, in which {} is the name. May be"
        " repeated; the variable takes several with spaces between them. Without it: switchhook-{}.",
    ),
]

app = typer.Typer(help="Who may do what on Kafka.", no_args_is_help=True)


@app.command("show")
def show(context: typer.Context, kafka: Kafka = "", users: Principals = None) -> None:
    """What each service and the operator needs, as arguments of `kafka-acls.sh --add`, a line each."""
    from contracts.access import grants
    from operations.acls import lines, principals

    for line in lines(grants(), installation(context).kafka(kafka), principals(users or ())):
        typer.echo(line)


@app.command("apply")
def apply_all(context: typer.Context, kafka: Kafka = "", users: Principals = None) -> None:
    """Allow it. What was allowed before stays."""
    from operations.acls import apply, principals

    done = asyncio.run(apply(installation(context).kafka(kafka), principals(users or ())))
    typer.echo(f"{done} grants are there")
