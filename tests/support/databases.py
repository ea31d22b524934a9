"""Databases of a test run: empty ones, and copies of one that a service's migrations were run on."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg

from servicekit.migrate import migrate_async

T = TypeVar("T")


class Databases:
    """Makes databases in the server that a superuser's DSN names."""

    def __init__(self, server_dsn: str) -> None:
        self._server_dsn = server_dsn
        self._templates: dict[str, str] = {}

    @contextlib.contextmanager
    def fresh(self, package: str | None = None) -> Iterator[str]:
        """The DSN of a new database, with the tables of that package or empty. Dropped afterwards, with whoever is
        still connected."""
        name = self._create(self._template_of(package) if package else None)
        try:
            yield self._dsn(name)
        finally:
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _template_of(self, package: str) -> str:
        """Migrated once: to run a service's migrations takes four times as long as to copy what they made."""
        if package not in self._templates:
            name = self._create(None)
            in_own_loop(migrate_async(package, self._dsn(name)))
            self._templates[package] = name
        return self._templates[package]

    def _create(self, template: str | None) -> str:
        name = f"test_{uuid4().hex[:12]}"
        # Copied as files: with the default, every page of the copy is also written to the log.
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template or 'template1'} STRATEGY file_copy")
        return name

    def _dsn(self, database: str) -> str:
        return urlunsplit(urlsplit(self._server_dsn)._replace(path=f"/{database}"))

    def _execute(self, statement: str) -> None:
        in_own_loop(_execute(self._server_dsn, statement))


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
