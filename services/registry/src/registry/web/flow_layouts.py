"""The handlers of layouts of flows, by the names of their rows."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from contracts.registry import Flow
from registry.resources import flow_layouts
from registry.resources.flow_layouts import Layout
from registry.web.api import Api, Handler
from registry.writing.answers import Answer
from registry.writing.unit import Unit


def handlers(api: Api) -> dict[str, Handler]:
    async def show(request: Request, id: str) -> Response:
        async with api.reading(request) as unit:
            layout, etag = await flow_layouts.show(unit, await unit.load(Flow, id))
        return JSONResponse(layout.model_dump(mode="json"), headers={"ETag": etag})

    async def save(request: Request, id: str, body: Layout) -> Response:
        async def work(unit: Unit) -> Answer:
            stored = await unit.load(Flow, id, lock="FOR UPDATE")
            etag = await flow_layouts.save(unit, stored, body, request.headers.get("if-match"))
            return Answer(200, body.model_dump(mode="json"), etag)

        return await api.write(request, work)

    return {"GET /v1/flows/{id}/layout": show, "PUT /v1/flows/{id}/layout": save}
