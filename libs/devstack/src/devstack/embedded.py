"""`python -m devstack.embedded --dir D [--no-sync]`: Kafka and PostgreSQL in a folder until Ctrl-C, their addresses on stdout.

Two lines are printed when both serve requests: `SWITCHHOOK_KAFKA=…` and `SWITCHHOOK_DATABASE=…`. A first line on
stderr that starts with `error:` says why they do not.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from devstack.embedded_kafka import EmbeddedKafka
from devstack.embedded_postgres import EmbeddedPostgres
from devstack.errors import StackError
from devstack.server import Server


async def together(*work: Coroutine[Any, Any, object]) -> None:
    """Run side by side; the first failure cancels the rest and is raised when all have ended."""
    try:
        async with asyncio.TaskGroup() as group:
            for each in work:
                group.create_task(each)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def stop_together(*servers: Server) -> None:
    """Stop servers side by side."""
    await asyncio.gather(*(server.stop() for server in servers))


async def run(folder: Path, *, sync: bool = True) -> None:
    """Run both in `folder` until SIGINT or SIGTERM."""
    asked_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked_to_stop.set)
    kafka, postgres = EmbeddedKafka(folder / "kafka"), EmbeddedPostgres(folder / "postgres", sync=sync)
    try:
        await together(kafka.start(), postgres.start())
        print(f"SWITCHHOOK_KAFKA={kafka.bootstrap_servers}\nSWITCHHOOK_DATABASE={postgres.dsn}", flush=True)
        await asked_to_stop.wait()
    finally:
        await stop_together(kafka, postgres)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m devstack.embedded", description=run.__doc__)
    parser.add_argument("--dir", type=Path, required=True, help="their files; used again at the next start")
    parser.add_argument("--no-sync", action="store_true", help="faster: their data need not outlive a machine's crash")
    chosen = parser.parse_args()
    try:
        asyncio.run(run(chosen.dir.resolve(), sync=not chosen.no_sync))
    except StackError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
