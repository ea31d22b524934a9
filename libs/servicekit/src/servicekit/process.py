"""The life of a service's process: settings, logs, HTTP at once, the work beside it, and an end in good order.

Enters: the service's settings class and how it is made from them. Leaves: a process that listens from the start, says by
its readiness what it still waits for, and after SIGTERM answers what is in flight, finishes what is in hand and ends. When
the work ends by itself so does the process, with exit code 1: whoever runs it starts another one.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TypeVar

import structlog
from pydantic import ValidationError
from starlette.types import ASGIApp

from contracts.installed import BrokenPackage
from servicekit import failpoints
from servicekit.credentials.missing_keys import MISSING
from servicekit.kafka.inside_aiokafka.connections import refusal as kafka_refusal
from servicekit.kafka.refused_writes import REFUSED
from servicekit.misconfigured import Misconfigured
from servicekit.observability.logging import configure_logging
from servicekit.observability.telemetry import configure_tracing, shutdown_tracing
from servicekit.outages import DATABASE, KAFKA, UNUSABLE_DATABASE
from servicekit.settings import ServiceSettings, refusal
from servicekit.web.health import Checks, Health
from servicekit.web.server import serve, stop_process

S = TypeVar("S", bound=ServiceSettings)

log = structlog.get_logger()


class Service(ABC):
    """What one process consists of. Making it opens nothing; the calls come in the order in which they stand here."""

    app: ASGIApp
    """Its HTTP interface. It answers from the start, so what is not there yet it has to answer 503 itself."""

    @abstractmethod
    def checks(self) -> Checks:
        """What readiness depends on."""

    def warnings(self) -> Checks:
        """What makes nothing red and has to be known all the same, beside what every service warns of."""
        return {}

    @abstractmethod
    async def work(self) -> None:
        """Do what the service is there for, until cancelled."""

    def stopping(self) -> None:
        """SIGTERM came: end what would hold back a graceful stop, such as streams."""
        return

    async def drain(self) -> None:
        """Requests have been answered: take nothing more on, finish what is in hand. `work` still runs."""
        return

    async def close(self) -> None:
        """`work` has ended: let go of what is open."""
        return


class WorkEnded(Exception):
    """The work of a process ended by itself."""


@contextlib.contextmanager
def refusing(name: str) -> Iterator[None]:
    """End with exit code 1 and one sentence on stderr when it is for the operator to mend what keeps a service from
    starting: settings that are missing or do not go together, an installed package that cannot be used.

    `run` does it; a service's `__main__` does it for its imports, since flowlang looks for packages when it is imported.
    """
    try:
        yield
    except ValidationError as error:
        sys.exit(f"{name} does not start: {refusal(error)}")
    except (Misconfigured, BrokenPackage) as error:
        sys.exit(f"{name} does not start: {error}")


def run(name: str, settings_type: type[S], make: Callable[[S], Service]) -> None:
    """Run a service until SIGTERM. What `refusing` refuses ends it before it begins."""
    with refusing(name):
        settings = settings_type()
        chaos = failpoints.chaos()
        configure_logging(name, settings.log_level)
        configure_tracing(
            name,
            sample=settings.trace_sample,
            otlp_endpoint=settings.otlp_endpoint,
            trace_file=settings.trace_file,
        )
        service = make(settings)
    if chaos is not None:
        log.warning("process.chaos", reason=chaos)
    health = Health(
        {"kafka": kafka_refusal} | dict(service.checks()),
        warnings={
            "chaos": lambda: chaos,
            "kafka": KAFKA.problem,
            "writes": REFUSED.problem,
            "database": lambda: DATABASE.problem() or UNUSABLE_DATABASE.problem(),
            "secrets": MISSING.problem,
            **service.warnings(),
        },
    )
    try:
        serve(service.app, settings, lambda: _working(service, health), health=health)
    except WorkEnded as ended:
        log.error("process.work_ended", exc_info=ended.__cause__)
        sys.exit(1)


@contextlib.asynccontextmanager
async def _working(service: Service, health: Health) -> AsyncIterator[None]:
    """The work beside the HTTP server."""
    work = asyncio.create_task(service.work(), name="work")
    work.add_done_callback(lambda done: None if done.cancelled() else stop_process())
    ending = asyncio.create_task(_tell(service, health), name="tell that the end comes")
    try:
        yield
        told_to_end = not work.done()
        await service.drain()
    finally:
        for task in (ending, work):
            task.cancel()
        await asyncio.gather(ending, work, return_exceptions=True)
        await service.close()
        shutdown_tracing()
    failure = None if work.cancelled() else work.exception()
    if failure is not None or not told_to_end:  # It can fail while it is drained or cancelled, too.
        raise WorkEnded from failure


async def _tell(service: Service, health: Health) -> None:
    await health.until_stopping()
    service.stopping()
