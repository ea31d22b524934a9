"""The handler of flow imports, by the name of its row."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from registry.resources import flow_imports, flows
from registry.resources.flow_imports import NewImport
from registry.web.api import Api, Handler
from registry.web.crud import made_answer
from registry.writing.answers import Answer
from registry.writing.unit import Unit


def handlers(api: Api) -> dict[str, Handler]:
    async def import_flow(request: Request, body: NewImport) -> Response:
        bot = body.bot
        if bot is None:
            async with api.checking(request):
                return JSONResponse(await flow_imports.show(api.site, body))

        async def work(unit: Unit) -> Answer:
            return made_answer(flows.RESOURCE, unit, await flow_imports.make(unit, body, bot))

        return await api.write(request, work, checked=True)

    return {"POST /v1/flows/import": import_flow}
