"""Spans of sampled traces, by the OpenTelemetry SDK. Loaded by `telemetry` when an exporter is configured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import orjson
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SimpleSpanProcessor,
    SpanExporter,
    SpanExportResult,
)
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from servicekit.observability.current_trace import CURRENT, remember
from servicekit.observability.traceparent import TraceParent


class RecordedSpan:
    """A span that is exported at its end. An error is noted by its type: its text may quote what must not be kept."""

    __slots__ = ("_before", "_span", "traceparent")

    def __init__(self, span: Span) -> None:
        self._span = span
        context = span.get_span_context()
        self.traceparent = TraceParent(f"{context.trace_id:032x}", f"{context.span_id:016x}", sampled=True).text()

    def set(self, name: str, value: str | int | float | bool) -> None:
        self._span.set_attribute(name, value)

    def __enter__(self) -> RecordedSpan:
        self._before = CURRENT.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self._span.set_status(Status(StatusCode.ERROR, kind.__name__))
        if error is not None:
            remember(error)
        CURRENT.reset(self._before)
        self._span.end()


class SpanMaker:
    """Opens spans and exports them: to a collector in batches, to a file as they end."""

    def __init__(self, service: str, otlp_endpoint: str | None, trace_file: str | None) -> None:
        resource = Resource.create({"service.name": f"switchhook-{service}"})
        # The decision was made with the traceparent; what arrives here is sampled.
        self._provider = TracerProvider(resource=resource, sampler=ALWAYS_ON, shutdown_on_exit=False)
        if otlp_endpoint:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            exporter = OTLPSpanExporter(endpoint=otlp_endpoint.rstrip("/") + "/v1/traces")
            self._provider.add_span_processor(BatchSpanProcessor(exporter))
        if trace_file:
            self._provider.add_span_processor(SimpleSpanProcessor(JsonLines(Path(trace_file), service)))
        self._tracer = self._provider.get_tracer("switchhook")

    def open(
        self, name: str, parent: TraceParent | None, attributes: Mapping[str, str | int | float | bool]
    ) -> RecordedSpan:
        """A new span; `parent` None makes it a root."""
        kind = SpanKind.INTERNAL
        return RecordedSpan(self._tracer.start_span(name, _context(parent), kind, attributes))

    def close(self) -> None:
        self._provider.shutdown()


def _context(parent: TraceParent | None) -> Context:
    if parent is None:
        return Context()
    remote = SpanContext(
        int(parent.trace_id, 16), int(parent.span_id, 16), is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )
    return set_span_in_context(NonRecordingSpan(remote), Context())


class JsonLines(SpanExporter):
    """Appends one JSON object a span: ids in hex, times in unix nanoseconds. Several processes may share the file."""

    def __init__(self, path: Path, service: str) -> None:
        self._file = path.open("ab", buffering=0)
        self._service = service

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._file.write(b"".join(orjson.dumps(self._line(span)) + b"\n" for span in spans))
        return SpanExportResult.SUCCESS

    def _line(self, span: ReadableSpan) -> dict[str, object]:
        context = span.context
        return {
            "service": self._service,
            "name": span.name,
            "trace_id": f"{context.trace_id:032x}",
            "span_id": f"{context.span_id:016x}",
            "parent_id": f"{span.parent.span_id:016x}" if span.parent else None,
            "start_ns": span.start_time,
            "end_ns": span.end_time,
            "attributes": dict(span.attributes or {}),
            "error": span.status.description if span.status.status_code is StatusCode.ERROR else None,
        }

    def shutdown(self) -> None:
        self._file.close()
