"""What `doctor` checks of an installation: its services, topics, tables, keys, and whether every checkpoint fits its log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg

from operations.checkpoints import misfits, missing_topics
from operations.checks.brokers import disk_checks, lag_checks, topic_checks
from operations.checks.databases import database_checks, key_checks
from operations.checks.services import readiness
from operations.checks.waiting import waiting_checks
from operations.errors import CommandError
from operations.installation import Installation
from operations.report import Check, by_itself

REFUSED = (
    "Give the role the password that the service's SWITCHHOOK_DATABASE has, or the service another SWITCHHOOK_DATABASE"
)


async def installation_checks(here: Installation) -> AsyncIterator[Check]:
    """All checks of an installation, in their order. One that fails itself leaves the others alone, and all look at the same time:
    each finds out by itself, and slowly, that Kafka or PostgreSQL does not answer."""
    looking = [
        asyncio.create_task(_all(by_itself(what, found)))
        for what, found in (
            ("readiness", readiness(here.urls)),
            ("durability", durability(here)),
            ("topics", topic_checks(here)),
            ("tables", database_checks(here)),
            ("keys", key_checks(here)),
            ("lag", lag_checks(here)),
            ("what waits", waiting_checks(here)),
            ("Kafka's disks", disk_checks(here)),
        )
    ]
    try:
        for task in looking:
            for check in await task:
                yield check
    finally:
        for task in looking:
            task.cancel()


async def _all(checks: AsyncIterator[Check]) -> list[Check]:
    return [check async for check in checks]


async def durability(here: Installation) -> AsyncIterator[Check]:
    """Whether every topic is there and every service can go on where it stands."""
    cluster = here.kafka()
    try:
        missing = await missing_topics(cluster)
    except CommandError as error:
        yield not_compared("checkpoints", error, here)
        return
    for topic in missing:
        yield Check(f"the topic {topic} does not exist", False, f"`{here.command} topics create` makes it")
    all_fit = not missing
    for service, dsn in here.dsns.items():
        async for wrong in standing_still(here, service, dsn):
            all_fit = False
            yield wrong
    if all_fit:
        yield Check("every checkpoint fits its log", fine=True)


async def standing_still(here: Installation, service: str, dsn: str) -> AsyncIterator[Check]:
    """Where a service cannot go on, and what lets it; nothing where it can."""
    try:
        found = await misfits(here.kafka(), {service: dsn})
    except CommandError as error:
        yield not_compared(f"{service}: its checkpoints", error, here)
        return
    for misfit in found:
        advice = f"`{here.command} {misfit.words}` goes on with what is there now"
        yield Check(f"{service}: {misfit.reason}", fine=False, advice=advice)
    if len(found) > 1:
        advice = f"`{here.command} topics accept-loss {service}` goes on with what is there now in all of them"
        yield Check(f"{service}: {len(found)} partitions stand still", fine=False, advice=advice)


def not_compared(what: str, error: CommandError, here: Installation) -> Check:
    """Of a server that does not answer, or lets nobody in."""
    refused = isinstance(error.__cause__, asyncpg.InvalidAuthorizationSpecificationError)
    then = REFUSED if refused else here.when_away
    return Check(f"{what} could not be compared with their logs", fine=False, advice=f"{error} {then}")
