"""Logs: one JSON object a line on standard output, ids bound to the context, credentials taken out of the whole line.

A line about a request, a turn or a delivery has the `trace_id` of its trace, sampled or not: by it the lines of all services
are found, and the trace where it is recorded.

`log = structlog.get_logger()`; `log.info("delivery.attempt", delivery_id=…, status=…)`; ids that every line of a task
should carry: `structlog.contextvars.bound_contextvars(event_id=…)`.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import Any, BinaryIO

import orjson
import structlog
from structlog.typing import EventDict, Processor

from servicekit.observability.current_trace import trace_id, trace_id_of
from servicekit.observability.scrubbing import scrub

QUIET = ("aiokafka", "asyncio", "uvicorn", "faststream")
"""Libraries that are heard from WARNING on only."""


def configure_logging(service: str, level: str = "INFO", stream: BinaryIO | None = None) -> None:
    """Send structlog's and the standard library's records to `stream` (standard output), as JSON."""
    out = _Forgiving(stream or sys.stdout.buffer)
    threshold = logging.getLevelNamesMapping()[level]
    processors = _processors(service)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.BytesLoggerFactory(out),  # type: ignore[arg-type]  # write and flush are all it asks for
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=threshold, handlers=[_Handler(processors, out)], force=True)
    logging.captureWarnings(True)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))


def _processors(service: str) -> list[Processor]:
    def add_service(_: Any, __: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return [
        structlog.contextvars.merge_contextvars,
        add_service,
        _add_trace,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _render,
    ]


def _add_trace(_: Any, __: str, event: EventDict) -> EventDict:
    found = trace_id() or trace_id_of(_error_in(event.get("exc_info")))
    if found is not None:
        event["trace_id"] = found
    return event


def _error_in(said: Any) -> BaseException | None:
    """What `exc_info` names: an error, `sys.exc_info()`, or True for the one that is being handled."""
    if isinstance(said, BaseException):
        return said
    if isinstance(said, tuple):
        return said[1] if isinstance(said[1], BaseException) else None
    return sys.exc_info()[1] if said else None


def _render(_: Any, __: str, event: EventDict) -> bytes:
    line = orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS)
    return scrub(line.decode()).encode()


class _Forgiving:
    """Where a line cannot be written, because the disk is full for one, it is lost: who wrote it goes on with its work."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, line: bytes) -> None:
        with contextlib.suppress(OSError):
            self._out.write(line)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._out.flush()


class _Handler(logging.Handler):
    """What libraries log, through the same processors."""

    def __init__(self, processors: list[Processor], out: _Forgiving) -> None:
        super().__init__()
        self._processors, self._out = processors, out

    def emit(self, record: logging.LogRecord) -> None:
        try:
            event: Any = {"event": record.getMessage(), "logger": record.name, "exc_info": record.exc_info}
            for process in self._processors:
                event = process(None, record.levelname.lower(), event)
            self._out.write(event + b"\n")
            self._out.flush()
        except Exception:  # noqa: BLE001 (logging must never break what it reports on)
            self.handleError(record)
