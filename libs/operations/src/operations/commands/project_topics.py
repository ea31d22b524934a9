"""`project kafka`: topics of a project's own."""

from __future__ import annotations

from typing import Annotated

import typer

from operations.commands.asking import Token, Url, api_of, run
from operations.commands.checkpoints import Kafka
from operations.commands.topics import MinInsync, Replicas, laid_out
from operations.installation import installation

PARTITIONS = 3
"""contracts.project_topics.PARTITIONS, which `--help` need not load; a test compares."""

Users = Annotated[
    list[str], typer.Option("--user", help="A Kafka user of its programs to grant them to; may be repeated.")
]
OfEach = Annotated[
    int,
    typer.Option(min=1, envvar="SWITCHHOOK_PROJECT_TOPIC_PARTITIONS", help="Of each of the two, where it is made now."),
]


def topics_of_project(
    context: typer.Context,
    project: Annotated[str, typer.Argument(help="The project's id, as `project list` shows it.")],
    user: Users = [],  # noqa: B006  # Typer wants a list.
    partitions: OfEach = PARTITIONS,
    replicas: Replicas = None,
    min_insync: MinInsync = None,
    remove: Annotated[bool, typer.Option("--remove", help="Use them no longer. On Kafka they stay.")] = False,
    kafka: Kafka = "",
    url: Url = "",
    token: Token = "",
) -> None:
    """Give a project topics of its own for commands and events: note it, make them, grant them. What is there is left as it is.

    Without --user what its programs have to be granted is printed, as arguments of `kafka-acls.sh --add`.
    """
    from operations.project_topics import give, take_away

    async def work() -> bool:
        here = installation(context)
        async with api_of(context, "registry", url, token) as api:
            layout = laid_out(here, replicas, min_insync, None)
            told = (
                take_away(api, project) if remove else give(api, here.kafka(kafka), project, user, partitions, layout)
            )
            async for line in told:
                typer.echo(line)
        return True

    run(work())
