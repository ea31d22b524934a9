"""What `doctor` checks of an installation: its services, its topics and whether every checkpoint fits its log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any

import asyncpg
import httpx

from operations.checkpoints import misfits, missing_topics
from operations.errors import CommandError
from operations.installation import Installation

REFUSED = (
    "Give the role the password that the service's SWITCHHOOK_DATABASE has, or the service another SWITCHHOOK_DATABASE"
)
PROBE_SECONDS = 3.0


@dataclass(frozen=True)
class Check:
    """One line of the report; `advice` says what to do when it is not fine."""

    what: str
    fine: bool
    advice: str = ""


async def told(checks: AsyncIterator[Check], tell: Callable[[str], None]) -> int:
    """Tell what is found, a line each, as it is found; the exit code: 1 if something needs attention."""
    wrong = False
    async for check in checks:
        mark, advice = ("ok  ", "") if check.fine else ("FIX ", f": {check.advice}")
        tell(f"{mark} {check.what}{advice}")
        wrong = wrong or not check.fine
    return int(wrong)


async def each(check: Callable[..., Check | Awaitable[Check]], *arguments: Any) -> AsyncIterator[Check]:
    """The one check that a function makes."""
    made = check(*arguments)
    yield await made if isawaitable(made) else made


async def by_itself(what: str, found: AsyncIterator[Check]) -> AsyncIterator[Check]:
    """These checks; what goes wrong with them is a line of the report, too."""
    try:
        async for check in found:
            yield check
    except Exception as error:  # noqa: BLE001 - whatever it is, the other checks tell more
        advice = str(error) if isinstance(error, CommandError) else f"{type(error).__name__}: {error}"
        yield Check(f"{what} could not be checked", fine=False, advice=advice)


async def installation_checks(here: Installation) -> AsyncIterator[Check]:
    """All checks of an installation. One that fails itself leaves the others alone."""
    for what, found in (("readiness", readiness(here.urls)), ("durability", durability(here))):
        async for check in by_itself(what, found):
            yield check


async def readiness(urls: Mapping[str, str]) -> AsyncIterator[Check]:
    """The readiness of each replica; one that is not ready, or warns, says why."""
    async with httpx.AsyncClient(timeout=PROBE_SECONDS, trust_env=False) as client:
        for replica, url in urls.items():
            try:
                answer = await client.get(f"{url}/health/ready")
                found = answer.json()
                said = {**found.get("reasons", {}), **found.get("warnings", {})}
            except (httpx.HTTPError, ValueError):
                yield Check(f"{replica} at {url}", fine=False, advice="it does not answer; see its log")
                continue
            advice = "; ".join(f"{name}: {what}" for name, what in said.items())
            yield Check(f"{replica} at {url}", answer.status_code == 200 and not said, advice or "see its log")


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
