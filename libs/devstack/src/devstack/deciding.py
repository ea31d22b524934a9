"""`switchhook topics accept-loss` and `switchhook checkpoints accept-restore`: for the stack that `dev` runs, or for the servers
that are named."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import cast, get_args

from devstack.checkpoints import accept_loss, accept_losses
from devstack.database import OWNERS
from devstack.errors import StackError
from devstack.kafka_place import other_broker
from devstack.paths import STATE
from devstack.restores import Choice, accept, report
from devstack.secrets_file import load_secrets
from devstack.stack import TOPIC_PREFIX, running_stack
from servicekit.kafka.cluster import Cluster


async def accept_here(
    service: str, topic: str, partition: int | None, kafka: str, database: str, tell: Callable[[str], None]
) -> None:
    """Accept the loss in one partition, or in all that stand still, and tell of each as it is done. StackError for what does
    not go together."""
    cluster, dsn, _ = _servers(service, kafka, database)
    if partition is not None:
        tell(await accept_loss(cluster, service, dsn, topic, partition))
        return
    async with aclosing(accept_losses(cluster, service, dsn, topic or None)) as done:
        async for line in done:
            tell(line)


def decide(service: str, choice: str, kafka: str, database: str) -> str:
    """What the command answers. StackError for what does not go together."""
    if choice not in ("", *get_args(Choice)):
        raise StackError(f"{choice} is no choice: say again or skip, or nothing to see what there is.")
    cluster, dsn, env = _servers(service, kafka, database)
    if not choice:
        lines = asyncio.run(report(cluster, service, dsn, env))
        return "\n".join(lines) or f"The database of {service} is as new as what it has done."
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # It tells of each try while the group has members.
    lines = asyncio.run(accept(cluster, service, dsn, cast("Choice", choice), env))
    return "\n".join(lines) or f"There was nothing to decide for {service}."


def _servers(service: str, kafka: str, database: str) -> tuple[Cluster, str, Mapping[str, str]]:
    """Kafka, the service's DSN, and its environment where this machine's stack knows it."""
    if service not in OWNERS:
        raise StackError(f"{service} keeps no checkpoint: choose one of {', '.join(sorted(OWNERS))}.")
    running = running_stack(STATE)
    cluster = other_broker(kafka) if kafka else running and running.cluster
    dsn = database or (running.dsns.get(service, "") if running else "")
    if not (cluster and dsn):
        raise StackError("No stack runs here that keeps that checkpoint: start `dev`, or give --kafka and --database.")
    if running is None or kafka or database:
        return cluster, dsn, {}
    servers = {"SWITCHHOOK_KAFKA": running.kafka, TOPIC_PREFIX: running.topic_prefix}
    return cluster, dsn, load_secrets(STATE / "secrets.json").settings_for(service) | servers
