"""The five routes that every kind of entity has: list, make, show, change, delete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from registry.entities import M, Stored
from registry.resources.flows import refuse_stale
from registry.resources.resource import Made, N, P, Resource
from registry.store import postgres_entities
from registry.web.api import Api
from registry.writing.answers import Answer
from registry.writing.unit import Unit
from registry.writing.writes import FollowUp
from servicekit.web.pagination import decode_cursor, encode_cursor, page_limit


def made_answer(resource: Resource[M, N, P], unit: Unit, made: Made[M], status: int = 201) -> Answer:
    """The entity, with what is told about it this once."""
    body = resource.show(made.stored, unit.site) | dict(made.once)
    return Answer(status, body, made.stored.etag, unit.published)


def shown_answer(resource: Resource[M, N, P], unit: Unit, stored: Stored[M]) -> Answer:
    return Answer(200, resource.show(stored, unit.site), stored.etag, unit.published)


async def load_to_change(unit: Unit, resource: Resource[M, N, P], id: str, request: Request) -> Stored[M]:
    """The entity, locked. Raises ProblemError 404, and 412 when the caller has seen another version."""
    stored = await unit.load(resource.model, id, lock="FOR UPDATE")
    unit.project_id = stored.project_id
    refuse_stale(stored.etag, request.headers.get("if-match"))
    return stored


def add_crud(
    router: APIRouter, api: Api, resource: Resource[M, N, P], then: Callable[[N], FollowUp] | None = None
) -> None:
    """Add the routes; those that a kind does not have answer 405. `then` follows the making of one."""
    path, one = f"/v1/{resource.noun}", f"/v1/{resource.noun}/{{id}}"
    _add_list(router, api, resource, path)
    _add_create(router, api, resource, path, then)
    _add_show(router, api, resource, one)
    _add_change(router, api, resource, one)
    _add_delete(router, api, resource, one)


def _add_list(router: APIRouter, api: Api, resource: Resource[M, N, P], path: str) -> None:
    async def list_entities(request: Request) -> Response:
        query = request.query_params
        after = decode_cursor(query.get("cursor"), int) or (0,)
        limit = page_limit(query.get("limit"))
        fields = {field: query[name] for name, field in resource.filters.items() if name in query}
        async with api.reading(request) as unit:
            found, following = await postgres_entities.page(
                unit.connection, resource.model, unit.project_id, after=after[0], limit=limit, fields=fields
            )
        items = [resource.show(stored, api.site) for stored in found]
        return JSONResponse({"items": items, "next": following and encode_cursor(following)})

    router.add_api_route(path, list_entities, methods=["GET"], summary=f"List {resource.noun}")


def _add_create(
    router: APIRouter, api: Api, resource: Resource[M, N, P], path: str, then: Callable[[N], FollowUp] | None
) -> None:
    async def create(request: Request, body: Any) -> Response:
        async def work(unit: Unit) -> Answer:
            return made_answer(resource, unit, await resource.create(unit, body))

        caller = await api.caller(request)
        if resource.operator_only:
            caller.require_operator()
        return await api.write_as(caller, request, work, then and then(body))

    create.__annotations__["body"] = resource.new
    router.add_api_route(path, create, methods=["POST"], status_code=201, summary=f"Add to {resource.noun}")


def _add_show(router: APIRouter, api: Api, resource: Resource[M, N, P], path: str) -> None:
    async def show(request: Request, id: str) -> Response:
        async with api.reading(request) as unit:
            return shown_answer(resource, unit, await unit.load(resource.model, id)).response()

    router.add_api_route(path, show, methods=["GET"], summary=f"Show one of {resource.noun}")


def _add_change(router: APIRouter, api: Api, resource: Resource[M, N, P], path: str) -> None:
    change = resource.change
    if change is None or resource.patch is None:
        return

    async def patch(request: Request, id: str, body: Any) -> Response:
        async def work(unit: Unit) -> Answer:
            stored = await load_to_change(unit, resource, id, request)
            return shown_answer(resource, unit, await change(unit, stored, body))

        return await api.write(request, work)

    patch.__annotations__["body"] = resource.patch
    router.add_api_route(path, patch, methods=["PATCH"], summary=f"Change one of {resource.noun}")


def _add_delete(router: APIRouter, api: Api, resource: Resource[M, N, P], path: str) -> None:
    async def delete(request: Request, id: str) -> Response:
        async def work(unit: Unit) -> Answer:
            await resource.remove(unit, await load_to_change(unit, resource, id, request))
            return Answer(204, published=unit.published)

        caller = await api.caller(request)
        if resource.operator_only:
            caller.require_operator()
        return await api.write_as(caller, request, work)

    router.add_api_route(path, delete, methods=["DELETE"], status_code=204, summary=f"Delete one of {resource.noun}")
