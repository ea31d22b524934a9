"""Traces. A `traceparent` is always passed on; spans are made for sampled traces only, and only if somebody wants them.

`with traced("ingress.run", incoming) as span:` then `span.traceparent` goes into the headers of what is sent. Without a
valid incoming one a new trace begins, sampled at the configured share; else the caller's decision holds. What is not
sampled costs no SDK call, and the SDK is not even loaded until an exporter is configured.
"""

from __future__ import annotations

import random
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from servicekit.observability.current_trace import CURRENT, remember
from servicekit.observability.traceparent import TraceParent, new_traceparent, parse_traceparent

if TYPE_CHECKING:
    from servicekit.observability.spans import SpanMaker

Attribute = str | int | float | bool


class Traced(Protocol):
    """An open span, or nothing that behaves like one."""

    @property
    def traceparent(self) -> str:
        """What is passed on: this span as the parent."""

    def set(self, name: str, value: Attribute) -> None:
        """Note an attribute: ids, counts and states, never content or credentials."""

    def __enter__(self) -> Traced: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class Unsampled:
    """Passes the traceparent on and records nothing. Without one a trace begins when somebody asks for its traceparent."""

    __slots__ = ("_before", "_parent")

    def __init__(self, parent: TraceParent | None) -> None:
        self._parent = parent

    @property
    def traceparent(self) -> str:
        if self._parent is None:
            self._parent = new_traceparent(sampled=False)
        return self._parent.text()

    def set(self, name: str, value: Attribute) -> None:
        pass

    def __enter__(self) -> Unsampled:
        self._before = CURRENT.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            remember(error)
        CURRENT.reset(self._before)


class _Tracing:
    """The process's configuration."""

    sample = 0.01
    spans: SpanMaker | None = None


def configure_tracing(
    service: str, *, sample: float, otlp_endpoint: str | None = None, trace_file: str | None = None
) -> None:
    """Set the share of new traces that are sampled, and where spans go: OTLP, a file of JSON lines, or nowhere."""
    _Tracing.sample = sample
    if otlp_endpoint or trace_file:
        from servicekit.observability.spans import (
            SpanMaker,  # Loads the SDK: 20 MB that a process without an exporter saves.
        )

        _Tracing.spans = SpanMaker(service, otlp_endpoint, trace_file)


def shutdown_tracing() -> None:
    """Export what is still in memory."""
    if _Tracing.spans is not None:
        _Tracing.spans.close()
        _Tracing.spans = None


def traced(name: str, traceparent: str | None, **attributes: Attribute) -> Traced:
    """A span as a context manager: child of `traceparent`, or the root of a new trace when that is None or not valid."""
    parent = parse_traceparent(traceparent)
    if not (_sampled() if parent is None else parent.sampled):
        return Unsampled(parent)
    return _open(name, parent, attributes)


def _sampled() -> bool:
    return random.random() < _Tracing.sample  # noqa: S311


def _open(name: str, parent: TraceParent | None, attributes: dict[str, Attribute]) -> Traced:
    if _Tracing.spans is None:
        return Unsampled(parent or new_traceparent(sampled=True))
    return _Tracing.spans.open(name, parent, attributes)
