"""The handlers that every kind of entity has: list, make, show, change, delete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from registry import errors
from registry.entities import M, Stored, data_of
from registry.resources.resource import Made, N, P, Resource
from registry.store import postgres_entities
from registry.web.api import Api, Handler
from registry.writing.answers import Answer
from registry.writing.unit import Unit
from registry.writing.writes import FollowUp
from servicekit.web.pagination import decode_cursor, encode_cursor, page_limit
from servicekit.web.problems import ProblemError
from servicekit.web.requests import invalid_query


def made_answer(resource: Resource[M, N, P], unit: Unit, made: Made[M], status: int = 201) -> Answer:
    """The entity, with what is told about it this once."""
    body = resource.show(made.stored, unit.site) | dict(made.once)
    return Answer(status, body, made.stored.etag, unit.published)


def shown_answer(resource: Resource[M, N, P], unit: Unit, stored: Stored[M]) -> Answer:
    return Answer(200, resource.show(stored, unit.site), stored.etag, unit.published)


async def shown(resource: Resource[M, N, P], unit: Unit, stored: Stored[M]) -> dict[str, Any]:
    """The entity as it is read: with what stands in others."""
    more = await resource.beside(unit, stored) if resource.beside else {}
    return resource.show(stored, unit.site) | more


async def load_to_change(unit: Unit, resource: Resource[M, N, P], id: str, request: Request) -> Stored[M]:
    """The entity, locked. Raises ProblemError 404, and 412 when the caller has seen another version."""
    stored = await unit.load(resource.model, id, lock="FOR UPDATE")
    unit.project_id = stored.project_id
    errors.refuse_stale(stored.etag, request.headers.get("if-match"))
    return stored


def crud(api: Api, resource: Resource[M, N, P], then: Callable[[N], FollowUp] | None = None) -> dict[str, Handler]:
    """By the names of their rows. `then` follows the making of one."""
    many, one = f"/v1/{resource.noun}", f"/v1/{resource.noun}/{{id}}"
    handlers = {
        f"GET {many}": _list(api, resource),
        f"POST {many}": _create(api, resource, then),
        f"GET {one}": _show(api, resource),
        f"DELETE {one}": _delete(api, resource),
    }
    if resource.change is not None:
        handlers[f"PATCH {one}"] = _change(api, resource)
    return handlers


def _list(api: Api, resource: Resource[M, N, P]) -> Handler:
    async def list_entities(request: Request) -> Response:
        query = request.query_params
        after = decode_cursor(query.get("cursor"), int) or (0,)
        limit = page_limit(query.get("limit"))
        fields = {field: query[name] for name, field in resource.filters.items() if name in query}
        async with api.reading(request) as unit:
            found, following = await postgres_entities.page(
                unit.connection, resource.model, unit.project_id, after=after[0], limit=limit, fields=fields
            )
            items = [await shown(resource, unit, stored) for stored in found]
        return JSONResponse({"items": items, "next": following and encode_cursor(following)})

    return list_entities


def _create(api: Api, resource: Resource[M, N, P], then: Callable[[N], FollowUp] | None) -> Handler:
    async def create(request: Request, body: Any) -> Response:
        async def work(unit: Unit) -> Answer:
            return made_answer(resource, unit, await resource.create(unit, body))

        return await api.write(request, work, then and then(body), checked=resource.checked)

    create.__annotations__["body"] = resource.new
    return create


def _show(api: Api, resource: Resource[M, N, P]) -> Handler:
    async def show(request: Request, id: str) -> Response:
        async with api.reading(request) as unit:
            stored = await unit.load(resource.model, id)
            return Answer(200, await shown(resource, unit, stored), stored.etag, unit.published).response()

    return show


def _change(api: Api, resource: Resource[M, N, P]) -> Handler:
    async def patch(request: Request, id: str, body: Any) -> Response:
        async def work(unit: Unit) -> Answer:
            assert resource.change is not None
            stored = await load_to_change(unit, resource, id, request)
            changed = await resource.change(unit, stored, body)
            made = changed if isinstance(changed, Made) else Made(changed)
            await unit.refuse_growth(made.stored.entity, data_of(stored.entity), data_of(made.stored.entity))
            return made_answer(resource, unit, made, status=200)

        return await api.write(request, work, checked=resource.checked)

    patch.__annotations__["body"] = resource.patch
    return patch


def _is_forced(request: Request) -> bool:
    force = request.query_params.get("force", "false")
    if force not in ("true", "false"):
        raise invalid_query("force", "true or false.")
    return force == "true"


def _delete(api: Api, resource: Resource[M, N, P]) -> Handler:
    async def delete(request: Request, id: str) -> Response:
        end = resource.end if _is_forced(request) else None

        async def work(unit: Unit) -> Answer:
            try:
                await resource.remove(unit, await load_to_change(unit, resource, id, request))
            except ProblemError as refused:
                # What it has left behind can be ended after it was deleted, too.
                if refused.status != 404 or end is None or not await end(unit, id):
                    raise
            else:
                if end is not None:
                    await end(unit, id)
            return Answer(204, published=unit.published)

        return await api.write(request, work)

    return delete
