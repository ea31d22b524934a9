"""What a service would write to its log, and everything as it was afterwards."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from servicekit.observability.logging import QUIET, configure_logging


@contextmanager
def configured(service: str, level: str = "INFO", stream: io.BytesIO | None = None) -> Iterator[io.BytesIO]:
    """The stream that `configure_logging` writes to, one of its own unless one is given."""
    stream, root = stream or io.BytesIO(), logging.getLogger()
    handlers = root.handlers[:]
    levels = {log: log.level for log in [root, *map(logging.getLogger, QUIET)]}
    try:
        with warnings.catch_warnings():
            configure_logging(service, level, stream)
            yield stream
    finally:
        logging.captureWarnings(False)
        structlog.reset_defaults()
        root.handlers[:] = handlers
        for log, before in levels.items():
            log.setLevel(before)
