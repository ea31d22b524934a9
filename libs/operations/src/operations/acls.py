"""The access control lists of an installation: as lines for Kafka's own tool, and made over the wire."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence

from aiokafka.errors import KafkaError

from contracts.access import OPERATOR, SERVICES, Grant, grants, line
from operations.errors import CommandError
from operations.kafka import why
from servicekit.kafka.clients import admin_of
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.inside_aiokafka import acls

PRINCIPAL = "switchhook-{}"
"""The user that a service logs in as, unless a deployment names them otherwise."""
NAMES = (*SERVICES, OPERATOR)


def principals(said: Iterable[str] = ()) -> dict[str, str]:
    """Service, or operator -> its user on Kafka, without `User:`.

    `said`: `NAME=USER` for one of them, or a pattern in which {} stands for the name of each that is not named. CommandError for
    what is neither.
    """
    pattern, named = PRINCIPAL, dict[str, str]()
    for each in said:
        name, _, user = each.partition("=")
        if name in NAMES and user:
            named[name] = user.removeprefix("User:")
        elif "{}" in each:
            pattern = each.removeprefix("User:")
        else:
            raise CommandError(
                f"{each!r} says no user: give NAME=USER, where NAME is one of {', '.join(NAMES)}, or a pattern in which {{}}"
                " stands for the name."
            )
    return {name: pattern.replace("{}", name) for name in NAMES} | named


def lines(granted: Iterable[Grant], cluster: Cluster, users: Mapping[str, str]) -> Iterator[str]:
    """Arguments of `kafka-acls.sh --add`, a line for each grant."""
    for grant in granted:
        yield line(grant, shlex.quote(f"User:{users[grant.principal]}"), cluster.topic_prefix)


def name_of(grant: Grant, cluster: Cluster) -> str:
    """What a grant's resource is called on the cluster."""
    return grant.name if grant.resource == "cluster" else cluster.named(grant.name)


async def apply(cluster: Cluster, users: Mapping[str, str], granted: Sequence[Grant] | None = None) -> int:
    """Allow `users` these, or all that services and the operator are granted; how many grants there are.

    What was allowed before stays. CommandError when Kafka refuses.
    """
    granted = grants() if granted is None else granted
    try:
        async with admin_of(cluster) as admin:
            for grant in granted:
                user, name = f"User:{users[grant.principal]}", name_of(grant, cluster)
                for operation in grant.operations:
                    await acls.allow(admin, user, grant.resource, name, operation, begins=grant.begins)
    except KafkaError as error:
        raise CommandError(f"The access control lists could not be made at {cluster.servers}: {why(error)}.") from error
    return len(granted)
