"""`acls`: who may do what on Kafka."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from operations.commands.checkpoints import Kafka
from operations.installation import installation

Principal = Annotated[str, typer.Option(help="A service's user; {} stands for the service's name, or operator.")]

app = typer.Typer(help="Who may do what on Kafka.", no_args_is_help=True)


@app.command("show")
def show(context: typer.Context, kafka: Kafka = "", principal: Principal = "switchhook-{}") -> None:
    """What each service and the operator needs, as arguments of `kafka-acls.sh --add`, a line each."""
    from contracts.access import grants
    from operations.acls import lines

    for line in lines(grants(), installation(context).kafka(kafka), principal):
        typer.echo(line)


@app.command("apply")
def apply_all(context: typer.Context, kafka: Kafka = "", principal: Principal = "switchhook-{}") -> None:
    """Allow it. What was allowed before stays."""
    from operations.acls import apply

    typer.echo(f"{asyncio.run(apply(installation(context).kafka(kafka), principal))} grants are there")
