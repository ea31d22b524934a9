"""`topics`: making Kafka's topics as contracts describe them."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from operations.commands.checkpoints import Kafka, accept_loss_of
from operations.installation import installation

app = typer.Typer(help="Kafka topics.", no_args_is_help=True)
app.command("accept-loss")(accept_loss_of)


@app.command("create")
def create(
    context: typer.Context,
    kafka: Kafka = "",
    replicas: Annotated[int, typer.Option(help="Copies of each partition.")] = 1,
) -> None:
    """Create the topics that are not there yet; present ones are left as they are.

    Their names begin with SWITCHHOOK_TOPIC_PREFIX.
    """
    from operations.topics import create_topics

    cluster = installation(context).kafka(kafka)
    for name in asyncio.run(create_topics(cluster, replicas=replicas)):
        typer.echo(f"created {name}")
