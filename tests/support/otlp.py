"""A collector: takes spans as OpenTelemetry's protocol has them over HTTP, and keeps them."""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import NamedTuple

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from support.receiver import LOOPBACK


class Span(NamedTuple):
    """`service` without its prefix; `attributes` as text."""

    service: str
    name: str
    span_id: str
    parent_id: str
    attributes: dict[str, str]


@dataclass(slots=True)
class Collector:
    """`traces`: trace id -> its spans, in the order in which they came."""

    url: str = ""
    traces: dict[str, list[Span]] = field(default_factory=dict)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        packed = body[:2] == b"\x1f\x8b"  # aiohttp unpacks what says so.
        for group in ExportTraceServiceRequest.FromString(gzip.decompress(body) if packed else body).resource_spans:
            named = {each.key: each.value.string_value for each in group.resource.attributes}
            service = named["service.name"].removeprefix("switchhook-")
            for span in (span for scope in group.scope_spans for span in scope.spans):
                said = {each.key: each.value.string_value for each in span.attributes}
                made = Span(service, span.name, span.span_id.hex(), span.parent_span_id.hex(), said)
                self.traces.setdefault(span.trace_id.hex(), []).append(made)
        answer = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=answer, content_type="application/x-protobuf")


@contextlib.asynccontextmanager
async def otlp_collector() -> AsyncIterator[Collector]:
    """One that listens on this machine."""
    collector = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, LOOPBACK, 0)
    await site.start()
    collector.url = f"http://{LOOPBACK}:{runner.addresses[0][1]}"
    try:
        yield collector
    finally:
        await runner.cleanup()
