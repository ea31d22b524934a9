"""The handlers of a project's own topics, by the names of their rows."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from contracts.registry import Project
from registry.resources import project_topics, projects
from registry.web.api import Api, Handler
from registry.web.crud import load_to_change
from registry.writing.answers import Answer
from registry.writing.unit import Unit


def handlers(api: Api) -> dict[str, Handler]:
    async def show(request: Request, id: str) -> Response:
        async with api.reading(request) as unit:
            stored = await unit.load(Project, id)
        topics = project_topics.shown(stored.entity, api.site)
        return JSONResponse(topics.model_dump(), headers={"ETag": stored.etag})

    async def give(request: Request, id: str) -> Response:
        async def work(unit: Unit) -> Answer:
            stored = await load_to_change(unit, projects.RESOURCE, id, request)
            saved = await project_topics.switch(unit, stored, own_topics=True)
            status = 200 if stored.entity.own_topics else 201
            topics = project_topics.shown(saved.entity, api.site)
            return Answer(status, topics.model_dump(), saved.etag, unit.published)

        return await api.write(request, work)

    async def take_away(request: Request, id: str) -> Response:
        async def work(unit: Unit) -> Answer:
            stored = await load_to_change(unit, projects.RESOURCE, id, request)
            if not stored.entity.own_topics:
                raise project_topics.no_topics()
            await project_topics.switch(unit, stored, own_topics=False)
            return Answer(204, published=unit.published)

        return await api.write(request, work)

    return {
        "GET /v1/projects/{id}/kafka": show,
        "POST /v1/projects/{id}/kafka": give,
        "DELETE /v1/projects/{id}/kafka": take_away,
    }
