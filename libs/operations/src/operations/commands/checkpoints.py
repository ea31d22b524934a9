"""`checkpoints accept-restore` and, under `topics`, `accept-loss`: letting a service go on as an operator decides."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from typing import Annotated, cast

import typer

from operations.errors import CommandError
from operations.installation import Installation, installation

KAFKA = typer.Option(envvar="SWITCHHOOK_KAFKA", help="Bootstrap servers, host:port.")
Kafka = Annotated[str, KAFKA]
Database = Annotated[str, typer.Option(envvar="SWITCHHOOK_DATABASE", help="The DSN of the service's role.")]

app = typer.Typer(help="Where services stand.", no_args_is_help=True)


@app.callback()
def checkpoints() -> None:
    """Where services stand."""


@app.command("accept-restore")
def accept_restore(
    context: typer.Context,
    service: Annotated[str, typer.Argument(help="Whose database was restored: flow-engine, dispatcher or registry.")],
    choice: Annotated[str, typer.Argument(metavar="[again|skip]", help="What holds. Without it: what there is.")] = "",
    kafka: Kafka = "",
    database: Database = "",
) -> None:
    """Let a service go on whose database is older than what it has done.

    `again`: from where the backup stands; what came since is applied, and sent, once more. `skip`: behind it; nothing that
    may have been sent is sent again. Without either it says what that would be. The service goes on within seconds.
    """
    typer.echo(decide(installation(context), service, choice, kafka, database))


def decide(here: Installation, service: str, choice: str, kafka: str, database: str) -> str:
    """What the command answers. CommandError for what does not go together."""
    from operations.restores import CHOICES, Choice, accept, report

    if choice not in ("", *CHOICES):
        raise CommandError(f"{choice} is no choice: say again or skip, or nothing to see what there is.")
    dsn, cluster = here.database(service, database), here.kafka(kafka)
    env = {} if kafka or database else here.environment(service)
    if not choice:
        lines = asyncio.run(report(cluster, service, dsn, env))
        return "\n".join(lines) or f"The database of {service} is as new as what it has done."
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # It tells of each try while the group has members.
    lines = asyncio.run(accept(cluster, service, dsn, cast("Choice", choice), env))
    return "\n".join(lines) or f"There was nothing to decide for {service}."


def accept_loss_of(
    context: typer.Context,
    service: Annotated[str, typer.Argument(help="Whose checkpoint: flow-engine, dispatcher or registry.")],
    topic: Annotated[
        str, typer.Argument(metavar="[TOPIC]", help="Without it: all topics that the service reads.")
    ] = "",
    partition: Annotated[
        int | None, typer.Argument(metavar="[PARTITION]", help="Without it: all that stand still.")
    ] = None,
    kafka: Kafka = "",
    database: Database = "",
) -> None:
    """Let a service go on in logs that are not the ones it knew. `doctor` says when that is needed.

    Partitions that can go on as they are stay as they are. In a topic that was made anew it begins at the start, in a log that was
    cut off at its end, and the answer says which. A service that runs goes on within seconds.
    """
    from operations.checkpoints import accept_loss, accept_losses

    here = installation(context)
    dsn, cluster = here.database(service, database), here.kafka(kafka)

    async def accepting(tell: Callable[[str], None]) -> None:
        if partition is not None:
            tell(await accept_loss(cluster, service, dsn, topic, partition))
            return
        async with aclosing(accept_losses(cluster, service, dsn, topic or None)) as done:
            async for line in done:
                tell(line)

    asyncio.run(accepting(typer.echo))
