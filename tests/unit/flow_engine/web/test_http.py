"""The engine's own HTTP."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import httpx

from contracts.routes import ROUTES
from flow_engine.web.routes import make_app


async def test_the_api_describes_every_route_that_is_there() -> None:
    nothing: Any = SimpleNamespace()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(make_app(nothing)), base_url="http://test") as client:
        document = (await client.get("/openapi/flow-engine.json")).json()
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert described == {(route.method, route.path) for route in ROUTES if route.service == "flow-engine"}
