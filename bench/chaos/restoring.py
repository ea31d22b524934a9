"""A backup is restored: PostgreSQL's while Kafka goes on, or Kafka's while PostgreSQL goes on; then what docs/how-to/operate.md says."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from pathlib import Path

from bench.chaos.attack import rows_of
from bench.chaos.checker import SentAgain
from bench.chaos.ear import Ear
from bench.chaos.operating import switchhook
from bench.chaos.readiness import names
from bench.chaos.revoked import Tokens
from bench.chaos.rounds import Round
from bench.chaos.strikes import repaired
from devstack.embedded_postgres import binaries
from devstack.errors import StackError
from devstack.server import Server
from devstack.service import Service
from devstack.stack import Stack
from operations.databases import with_database
from operations.restores import Choice
from operations.services import OWNERS

BEFORE_SECONDS, SINCE_SECONDS = 3.0, 10.0
"""What was sent that long before a backup began it may have as unfinished; how long people speak on after it."""
ENGINE = "flow-engine"
CHOICES: Sequence[tuple[str, Choice]] = (("registry", "again"), (ENGINE, "again"))
"""What operate.md advises for these, in this order; the dispatcher's comes last."""
SAID = re.compile(r"(\d+) (?:action\.send_message|message)(?![\w.])")
"""Of what the command tells: messages since the backup, and those that the backup has as unfinished."""
OPEN = """
SELECT split_part(conversation, '/', 3) AS chat, count(*)::int AS count FROM delivery
 WHERE kind = 'message' AND finished_at IS NULL AND split_part(conversation, '/', 3) = ANY ($1) GROUP BY 1
"""


async def database_restored(round: Round, dispatcher: Choice) -> None:
    """All services' databases are those of a backup that was made while people spoke; the dispatcher decides so."""
    stack, ear = round.run.stack, round.run.far_end
    async with aclosing(Tokens(stack, round.run.crowd.project)) as tokens:
        with tempfile.TemporaryDirectory(prefix="switchhook-backup-") as made:
            backup = Path(made) / "data"
            await tokens.made_before()
            may = len(ear.heard)
            await asyncio.sleep(BEFORE_SECONDS)
            await back_up(stack, backup)
            must = len(ear.heard)
            await tokens.changed_since()
            await asyncio.sleep(SINCE_SECONDS)
            await put_back(round, backup)
        round.again = sent_again(ear, may, must, dispatcher)
        await launch(with_databases(stack))
        for service in OWNERS:
            await round.red(names(f"accept-restore {service}"), f"the database of {service} is older")
        for service, choice in (*CHOICES, ("dispatcher", dispatcher)):
            await decide(round, service, choice)
        if (wrong := await tokens.wrong()) is not None:
            round.wrong("stuck", wrong)


async def engine_restored(round: Round) -> None:
    """The engine's tables alone are those of a backup that was made while people spoke; what it says again was said."""
    stack, ear = round.run.stack, round.run.far_end
    engines = [service for service in with_databases(stack) if service.service == ENGINE]
    with tempfile.TemporaryDirectory(prefix="switchhook-backup-") as made:
        backup = Path(made) / "dump"
        await asyncio.sleep(BEFORE_SECONDS)
        await dump(stack, ENGINE, backup)
        await asyncio.sleep(SINCE_SECONDS)
        await asyncio.gather(*(engine.stop() for engine in engines))
        await read_in(stack, ENGINE, backup)
    round.again = SentAgain(len(ear.heard), frozenset(), frozenset())
    await launch(engines)
    await round.red(names(f"accept-restore {ENGINE}"), "the engine's database is older")
    await decide(round, ENGINE, "again")


async def dump(stack: Stack, service: str, place: Path) -> None:
    """One service's tables."""
    await run("pg_dump", "-Fc", "-n", OWNERS[service], "-f", str(place), "-d", with_database(stack.admin_dsn))


async def read_in(stack: Stack, service: str, place: Path) -> None:
    """Put a service's tables back; its replicas are stopped."""
    dsn = with_database(stack.admin_dsn)
    await run("psql", "-q", "-c", f"DROP SCHEMA {OWNERS[service]} CASCADE", "-d", dsn)
    await run("pg_restore", "--exit-on-error", "-d", dsn, str(place))


async def back_up(stack: Stack, place: Path) -> None:
    """As PostgreSQL's own program does it, while the server works."""
    await run("pg_basebackup", "-D", str(place), "-d", stack.admin_dsn, "-X", "stream", "-c", "fast")


async def run(program: str, *arguments: str) -> None:
    """One of PostgreSQL's programs. StackError with what it says."""
    process = await asyncio.create_subprocess_exec(
        str(binaries() / program), *arguments, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    if process.returncode:
        raise StackError(f"{program}: {errors.decode().strip()}")


async def put_back(round: Round, backup: Path) -> None:
    """Services are stopped, then PostgreSQL, whose files are the backup's from now on."""
    stack = round.run.stack
    await asyncio.gather(*(service.stop() for service in with_databases(stack)))
    chats = [str(chat) for chat in round.run.crowd.chats]
    unsent = {row["chat"]: row["count"] for row in await rows_of(stack, "dispatcher", OPEN, chats)}
    if unsent:
        round.lost_until = time.monotonic()
        round.did(f"{sum(unsent.values())} messages were not sent yet")
    await replace_files(stack.postgres, stack.folder / "postgres" / "data", backup)


async def replace_files(server: Server, data: Path, backup: Path) -> None:
    """Stop the server, take these files for its own, start it."""
    await server.stop()
    await asyncio.to_thread(_replace, data, backup)
    await server.start()


def _replace(data: Path, backup: Path) -> None:
    """With the owner and the mode that it had."""
    had = data.stat()
    shutil.rmtree(data)
    shutil.copytree(backup, data)
    for path in (data, *data.rglob("*")):
        os.chown(path, had.st_uid, had.st_gid)
    data.chmod(had.st_mode & 0o777)


def with_databases(stack: Stack) -> list[Service]:
    """All replicas that have one."""
    return [service for service in stack.services.values() if service.service in OWNERS]


async def launch(services: Iterable[Service]) -> None:
    await asyncio.gather(*(service.launch() for service in services))


async def decide(round: Round, service: str, choice: Choice) -> None:
    """Look what there is, then say what holds."""
    words = ("checkpoints", "accept-restore", service)
    said = await switchhook(round.run.stack, *words, service=service)
    if service == "dispatcher" and round.again is not None:
        round.again.said = sum(map(int, SAID.findall(said)))
    for line in [each for each in said.splitlines() if not each.startswith(" ")]:
        round.did(f"{service}: {line}")
    done = (await switchhook(round.run.stack, *words, choice, service=service)).splitlines()
    round.did(f"{service} {choice}: {len(done)} lines, such as: {done[-1]}")


def sent_again(ear: Ear, may: int, must: int, choice: Choice) -> SentAgain:
    """What comes a second time: with `again` all that was sent since the backup, with `skip` nothing. `may`, `must`: how much had
    been heard a while before the backup, and when it was made."""
    heard = list(ear.heard)
    if choice == "skip":
        return SentAgain(len(heard), frozenset(), frozenset())
    return SentAgain(len(heard), frozenset(heard[may:]), frozenset(heard[must:]) - frozenset(heard[:must]))


async def kafka_emptied(round: Round) -> None:
    """Kafka comes back without anything, as on a new disk."""
    stack = round.run.stack
    await stack.kafka.stop()
    await asyncio.to_thread(shutil.rmtree, stack.folder / "kafka" / "data")
    await stack.kafka.start()
    await round.red(names("does not exist", "topics create"), "Kafka is empty")
    for line in (await switchhook(stack, "topics", "create")).splitlines():
        round.did(line)
    round.lost_until = round.told_from = time.monotonic()
    await repaired(round)


async def kafka_restored(round: Round) -> None:
    """Kafka's files are those of a copy that was made while people spoke."""
    stack = round.run.stack
    data = stack.folder / "kafka" / "data"
    with tempfile.TemporaryDirectory(prefix="switchhook-backup-") as made:
        copy = Path(made) / "data"
        await stack.kafka.stop()
        await asyncio.to_thread(shutil.copytree, data, copy)
        await stack.kafka.start()
        await asyncio.sleep(SINCE_SECONDS)
        await replace_files(stack.kafka, data, copy)
    await round.red(names("end was lost"), "Kafka is older than PostgreSQL")
    await repaired(round)
    round.lost_until = round.told_from = time.monotonic()
