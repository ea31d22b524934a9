"""`topics`: making and keeping Kafka's topics as contracts describe them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from operations.commands.checkpoints import Kafka, accept_loss_of
from operations.errors import CommandError
from operations.installation import Installation, installation

if TYPE_CHECKING:
    from operations.layout import Layout
    from operations.topic_plan import Difference

Replicas = Annotated[
    int | None,
    typer.Option(min=1, envvar="SWITCHHOOK_TOPIC_REPLICAS", help="Copies of each partition.", show_default=False),
]
MinInsync = Annotated[
    int | None,
    typer.Option(
        min=1, envvar="SWITCHHOOK_TOPIC_MIN_INSYNC", help="Copies that an acknowledged record has.", show_default=False
    ),
]
Partitions = Annotated[
    int | None,
    typer.Option(min=1, envvar="SWITCHHOOK_TOPIC_PARTITIONS", help="Of inbound, actions and events.", show_default=False),
]  # fmt: skip

app = typer.Typer(help="Kafka topics.", no_args_is_help=True)
app.command("accept-loss")(accept_loss_of)


@app.command("plan")
def show_plan(
    context: typer.Context,
    kafka: Kafka = "",
    replicas: Replicas = None,
    min_insync: MinInsync = None,
    partitions: Partitions = None,
) -> None:
    """What differs between the topics and what they are meant to be, and which verb does something about it."""
    from operations.topics import plan

    here = installation(context)
    said = asyncio.run(plan(here.kafka(kafka), laid_out(here, replicas, min_insync, partitions)))
    tell(said)
    if not said:
        typer.echo("every topic is as it is meant")


@app.command("create")
def create(
    context: typer.Context,
    kafka: Kafka = "",
    replicas: Replicas = None,
    min_insync: MinInsync = None,
    partitions: Partitions = None,
) -> None:
    """Create the topics that are not there yet, as `plan` shows them; present ones are left as they are.

    Their names begin with SWITCHHOOK_TOPIC_PREFIX.
    """
    from operations.topic_plan import about
    from operations.topics import create_topics, plan

    here = installation(context)
    cluster, layout = here.kafka(kafka), laid_out(here, replicas, min_insync, partitions)
    tell(about(asyncio.run(plan(cluster, layout)), "create"))
    for name in asyncio.run(create_topics(cluster, layout=layout)):
        typer.echo(f"created {name}")


@app.command("alter")
def alter_settings(
    context: typer.Context,
    kafka: Kafka = "",
    replicas: Replicas = None,
    min_insync: MinInsync = None,
    partitions: Partitions = None,
    force: Annotated[bool, typer.Option("--force", help="Also settings of which somebody set more.")] = False,
) -> None:
    """Give present topics the settings that differ, as `plan` shows them. What else is set on a topic stays.

    Nothing has to be stopped for it. A number of partitions is refused here: `grow` changes it.
    """
    from operations.topic_plan import WHY_NOT_ALTERED, about
    from operations.topics import alter, plan

    here = installation(context)
    cluster, layout = here.kafka(kafka), laid_out(here, replicas, min_insync, partitions)
    before = asyncio.run(plan(cluster, layout))
    tell(about(before, "alter", "alter --force"))
    done = asyncio.run(alter(cluster, layout, force=force)) if before else []
    for each in done:
        typer.echo(f"set {each.what}={each.meant} of {each.topic} (was {each.found})")
    if grown := about(before, "grow"):
        names = ", ".join(each.topic for each in grown)
        raise CommandError(
            f"The number of partitions of {names} is not altered ({grown[0].meant} in place of {grown[0].found}):"
            f" {WHY_NOT_ALTERED}. `{here.command} topics grow` does it once everything is drained."
        )
    if not done:
        typer.echo("nothing to alter")


@app.command("grow")
def grow_topics(context: typer.Context, kafka: Kafka = "", partitions: Partitions = None) -> None:
    """Give inbound, actions and events more partitions, while no service runs and everything is drained.

    What is still on its way is named, and nothing is changed then (docs/how-to/operate.md). Cut off, it may be given again.
    """
    from operations.growing import grow

    here = installation(context)
    wanted = laid_out(here, None, None, partitions).partitions
    if wanted is None:
        raise CommandError("Say how many partitions: --partitions, or SWITCHHOOK_TOPIC_PARTITIONS.")
    here = replace(here, cluster=here.kafka(kafka))

    async def growing() -> None:
        async for line in grow(here, wanted):
            typer.echo(line)

    asyncio.run(growing())
    typer.echo(f"set SWITCHHOOK_TOPIC_PARTITIONS={wanted} for the operator's jobs, and start the services")


def laid_out(here: Installation, replicas: int | None, min_insync: int | None, partitions: int | None) -> Layout:
    """The installation's layout, with what options say in place of it."""
    given = {"replicas": replicas, "min_insync": min_insync, "partitions": partitions}
    return replace(here.layout, **{name: value for name, value in given.items() if value is not None})


def tell(said: Iterable[Difference]) -> None:
    """A line each."""
    for each in said:
        typer.echo(each.line)
