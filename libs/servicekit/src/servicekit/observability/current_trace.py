"""The trace that is being worked on, so that each line that is logged meanwhile carries its id.

`traced` (telemetry) enters it by itself. `in_trace` is for work around a span, or without one. A task inherits the trace in
which it was created.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Protocol

from servicekit.observability.traceparent import parse_traceparent


class HasTraceparent(Protocol):
    """A span, recorded or not."""

    @property
    def traceparent(self) -> str:
        """Itself as the parent of what it causes."""


CURRENT: ContextVar[HasTraceparent | str | None] = ContextVar("trace", default=None)
"""A span, or a traceparent that nobody has looked at yet."""


@contextlib.contextmanager
def in_trace(traceparent: str | bytes | None) -> Iterator[None]:
    """What is logged inside belongs to that trace, as it came in a header. None: to none."""
    before = CURRENT.set(traceparent.decode(errors="replace") if isinstance(traceparent, bytes) else traceparent)
    try:
        yield
    finally:
        CURRENT.reset(before)


def trace_id() -> str | None:
    """That of the current trace, 32 hex digits. None outside of one, or where what came is not a traceparent."""
    current = CURRENT.get()
    if current is None:
        return None
    trace = parse_traceparent(current if isinstance(current, str) else current.traceparent)
    return trace.trace_id if trace else None


def remember(error: BaseException) -> None:
    """Note on an error that leaves a span which trace it comes from: it is logged by somebody further out."""
    with contextlib.suppress(AttributeError):  # An error may have slots.
        error.trace_id = trace_id()  # type: ignore[attr-defined]


def trace_id_of(error: BaseException | None) -> str | None:
    """What `remember` noted."""
    return getattr(error, "trace_id", None)
