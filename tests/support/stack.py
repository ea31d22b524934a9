"""Kafka and PostgreSQL for a test run: those that the environment names, or a throw-away pair of our own."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg

from devstack.child import under_launcher

T = TypeVar("T")


@dataclass(frozen=True)
class Servers:
    """`kafka` is `host:port`; `postgres` the DSN of a superuser, who may make databases and roles."""

    kafka: str
    postgres: str


@contextlib.contextmanager
def running_servers(folder: Path) -> Iterator[Servers]:
    """The pair that SWITCHHOOK_TEST_KAFKA and SWITCHHOOK_TEST_POSTGRES name, else one that lives in `folder`."""
    named = os.environ.get("SWITCHHOOK_TEST_KAFKA"), os.environ.get("SWITCHHOOK_TEST_POSTGRES")
    if named[0] and named[1]:
        yield Servers(named[0], named[1])
        return
    embedded = [sys.executable, "-m", "devstack.embedded", "--dir", str(folder), "--no-sync"]
    command = under_launcher(embedded, die_by=signal.SIGTERM)
    # A session of its own: Ctrl-C is for pytest, which stops the pair after its tests.
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as pair:
        assert pair.stdout is not None
        assert pair.stderr is not None
        try:
            lines = [pair.stdout.readline() for _ in range(2)]
            addresses = dict(line.strip().split("=", 1) for line in lines if line)
            if len(addresses) < 2:
                raise RuntimeError(f"the test servers did not start: {pair.stderr.read()}")
            yield Servers(addresses["SWITCHHOOK_KAFKA"], addresses["SWITCHHOOK_DATABASE"])
        finally:
            pair.terminate()
            pair.wait()


@contextlib.contextmanager
def fresh_database(server_dsn: str) -> Iterator[str]:
    """A new, empty database in that server; its DSN. Dropped afterwards, with whoever is still connected."""
    name = f"test_{uuid4().hex[:12]}"
    in_own_loop(_execute(server_dsn, f"CREATE DATABASE {name}"))
    try:
        yield urlunsplit(urlsplit(server_dsn)._replace(path=f"/{name}"))
    finally:
        in_own_loop(_execute(server_dsn, f"DROP DATABASE {name} WITH (FORCE)"))


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def in_own_loop(work: Coroutine[object, object, T]) -> T:
    """Run a coroutine to its end in a loop of its own, from code that may or may not have a running loop."""
    outcome: list[T | BaseException] = []

    def run() -> None:
        try:
            outcome.append(asyncio.run(work))
        except BaseException as error:  # noqa: BLE001 (raised again below, in the caller's thread)
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]
