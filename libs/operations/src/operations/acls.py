"""The access control lists of an installation: as lines for Kafka's own tool, and made over the wire."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from aiokafka.errors import KafkaError

from contracts.access import Grant, grants, line
from operations.errors import CommandError
from servicekit.kafka.clients import admin_of
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.inside_aiokafka import acls, connections

PRINCIPAL = "switchhook-{}"
"""The user that a service logs in as, unless a deployment names them otherwise."""


def lines(granted: Iterable[Grant], cluster: Cluster, principal: str = PRINCIPAL) -> Iterator[str]:
    """Arguments of `kafka-acls.sh --add`, a line for each grant."""
    for grant in granted:
        yield line(grant, principal.format(grant.principal), cluster.topic_prefix)


def name_of(grant: Grant, cluster: Cluster) -> str:
    """What a grant's resource is called on the cluster."""
    return grant.name if grant.resource == "cluster" else cluster.named(grant.name)


async def apply(cluster: Cluster, principal: str = PRINCIPAL, granted: Sequence[Grant] | None = None) -> int:
    """Allow these, or all that services and the operator are granted; how many grants there are. What was allowed before stays.

    CommandError when Kafka refuses.
    """
    granted = grants() if granted is None else granted
    try:
        async with admin_of(cluster) as admin:
            for grant in granted:
                user, name = f"User:{principal.format(grant.principal)}", name_of(grant, cluster)
                for operation in grant.operations:
                    await acls.allow(admin, user, grant.resource, name, operation, begins=grant.begins)
    except KafkaError as error:
        raise CommandError(
            f"The access control lists could not be made at {cluster.servers}: {connections.refusal() or error}."
        ) from error
    return len(granted)
