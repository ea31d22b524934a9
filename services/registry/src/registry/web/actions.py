"""The handlers beside the five: what can be done with one entity. By the names of their rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from contracts.registry import ApiCall, Channel, Flow, Project, Trigger
from registry import errors
from registry.kafka import channel_checks
from registry.kafka.channel_checks import ChannelChecks
from registry.kafka.dispatcher_calls import DispatcherCalls
from registry.resources import agents, api_calls, endpoints, flows, projects, tokens
from registry.resources.agents import NewAgentToken
from registry.resources.endpoints import SecretRotation
from registry.resources.flows import Check, Draft, Publish, Rollback
from registry.resources.projects import RateLimits
from registry.resources.tokens import Rotation
from registry.store import postgres_trigger_requests
from registry.values.flow_diff import difference
from registry.web.api import Api, Handler
from registry.web.crud import load_to_change, made_answer, shown_answer
from registry.writing.answers import Answer
from registry.writing.unit import Unit
from servicekit.web.requests import invalid_query

Result = Callable[[Unit], Awaitable[dict[str, Any]]]


def answering(result: Result) -> Callable[[Unit], Awaitable[Answer]]:
    """A work whose result is the body."""

    async def work(unit: Unit) -> Answer:
        body = await result(unit)
        return Answer(200, body, published=unit.published)

    return work


def project_handlers(api: Api) -> dict[str, Handler]:
    async def rate_limits(request: Request, id: str) -> Response:
        async with api.reading(request) as unit:
            stored = await unit.load(Project, id)
        return JSONResponse(stored.entity.rate_limits, headers={"ETag": stored.etag})

    async def set_rate_limits(request: Request, id: str, body: RateLimits) -> Response:
        async def work(unit: Unit) -> Answer:
            stored = await load_to_change(unit, projects.RESOURCE, id, request)
            saved = await projects.set_rate_limits(unit, stored, body)
            return Answer(200, saved.entity.rate_limits, saved.etag, unit.published)

        return await api.write(request, work)

    async def rotate_secret(request: Request, id: str, body: SecretRotation | None = None) -> Response:
        async def work(unit: Unit) -> Answer:
            stored = await load_to_change(unit, projects.RESOURCE, id, request)
            made = await projects.rotate_secret(unit, stored, body or SecretRotation())
            return made_answer(projects.RESOURCE, unit, made, status=200)

        return await api.write(request, work)

    return {
        "POST /v1/projects/{id}/rotate-secret": rotate_secret,
        "GET /v1/projects/{id}/rate-limits": rate_limits,
        "PUT /v1/projects/{id}/rate-limits": set_rate_limits,
    }


def token_handlers(api: Api) -> dict[str, Handler]:
    async def rotate(request: Request, id: str, body: Rotation | None = None) -> Response:
        async def work(unit: Unit) -> Answer:
            stored = await load_to_change(unit, tokens.RESOURCE, id, request)
            return made_answer(tokens.RESOURCE, unit, await tokens.rotate(unit, stored, body or Rotation()))

        return await api.write(request, work)

    return {
        "POST /v1/tokens/{id}/rotate": rotate,
    }


def agent_handlers(api: Api) -> dict[str, Handler]:
    async def make_token(request: Request, id: str, body: NewAgentToken | None = None) -> Response:
        async def work(unit: Unit) -> Answer:
            stored = await load_to_change(unit, agents.RESOURCE, id, request)
            return made_answer(tokens.RESOURCE, unit, await agents.make_token(unit, stored, body or NewAgentToken()))

        return await api.write(request, work)

    return {
        "POST /v1/agents/{id}/tokens": make_token,
    }


def endpoint_handlers(api: Api) -> dict[str, Handler]:
    async def set_state(request: Request, id: str, state: Literal["enabled", "disabled"]) -> Response:
        async def work(unit: Unit) -> Answer:
            stored = await load_to_change(unit, endpoints.RESOURCE, id, request)
            return shown_answer(endpoints.RESOURCE, unit, await endpoints.set_state(unit, stored, state))

        return await api.write(request, work)

    async def enable(request: Request, id: str) -> Response:
        return await set_state(request, id, "enabled")

    async def disable(request: Request, id: str) -> Response:
        return await set_state(request, id, "disabled")

    async def rotate_secret(request: Request, id: str, body: SecretRotation | None = None) -> Response:
        async def work(unit: Unit) -> Answer:
            stored = await load_to_change(unit, endpoints.RESOURCE, id, request)
            made = await endpoints.rotate_secret(unit, stored, body or SecretRotation())
            return made_answer(endpoints.RESOURCE, unit, made, status=200)

        return await api.write(request, work)

    return {
        "POST /v1/endpoints/{id}/enable": enable,
        "POST /v1/endpoints/{id}/disable": disable,
        "POST /v1/endpoints/{id}/rotate-secret": rotate_secret,
    }


def flow_handlers(api: Api) -> dict[str, Handler]:
    async def check(request: Request, body: Check) -> Response:
        async with api.checking(request), api.reading(request) as unit:
            return JSONResponse(await flows.check(unit, body))

    async def save_draft(request: Request, id: str, body: Draft) -> Response:
        async def result(unit: Unit) -> dict[str, Any]:
            stored = await _flow_to_change(unit, id)
            return await flows.save_draft(unit, stored, body, request.headers.get("if-match"))

        return await api.write(request, answering(result), checked=True)

    async def publish(request: Request, id: str, body: Publish | None = None) -> Response:
        async def result(unit: Unit) -> dict[str, Any]:
            stored = await load_to_change(unit, flows.RESOURCE, id, request)
            return await flows.publish(unit, stored, body or Publish())

        return await api.write(request, answering(result), checked=True)

    async def roll_back(request: Request, id: str, body: Rollback) -> Response:
        async def result(unit: Unit) -> dict[str, Any]:
            return await flows.roll_back(unit, await load_to_change(unit, flows.RESOURCE, id, request), body)

        return await api.write(request, answering(result), checked=True)

    return {
        "POST /v1/flows/check": check,
        "PUT /v1/flows/{id}/draft": save_draft,
        "POST /v1/flows/{id}/publish": publish,
        "POST /v1/flows/{id}/rollback": roll_back,
        **_flow_reads(api),
    }


async def _flow_to_change(unit: Unit, id: str) -> Any:
    stored = await unit.load(Flow, id, lock="FOR UPDATE")
    unit.project_id = stored.project_id
    return stored


def _flow_reads(api: Api) -> dict[str, Handler]:
    async def draft(request: Request, id: str) -> Response:
        async with api.checking(request), api.reading(request) as unit:
            stored = await unit.load(Flow, id)
            unit.project_id = stored.project_id
            body = await flows.draft(unit, stored)
        return JSONResponse(body, headers={"ETag": f'"{body["draft_version"]}"'})

    async def versions(request: Request, id: str) -> Response:
        async with api.reading(request) as unit:
            listed = await flows.versions(unit, await unit.load(Flow, id))
        return JSONResponse({"items": listed, "next": None})

    async def show_version(request: Request, id: str, version: int) -> Response:
        async with api.reading(request) as unit:
            stored = await unit.load(Flow, id)
            found = await flows.version_of(unit, stored, version)
        shown = flows.show_version(found, stored.entity.published)
        return JSONResponse(shown | {"document": found.entity.document})

    async def diff(request: Request, id: str) -> Response:
        numbers = _version_number(request, "from"), _version_number(request, "to")
        async with api.reading(request) as unit:
            stored = await unit.load(Flow, id)
            before, after = [(await flows.version_of(unit, stored, number)).entity for number in numbers]
        return JSONResponse(
            dict(zip(("from", "to"), numbers, strict=True)) | difference(before.document, after.document)
        )

    return {
        "GET /v1/flows/{id}/diff": diff,
        "GET /v1/flows/{id}/draft": draft,
        "GET /v1/flows/{id}/versions": versions,
        "GET /v1/flows/{id}/versions/{version}": show_version,
    }


def _version_number(request: Request, name: str) -> int:
    """Raises ProblemError 422."""
    given = request.query_params.get(name, "")
    if not (given.isascii() and given.isdigit() and len(given) < 10):
        raise invalid_query(name, "the number of a version.")
    return int(given)


def trigger_handlers(api: Api) -> dict[str, Handler]:
    async def requests(request: Request, id: str) -> Response:
        async with api.reading(request) as unit:
            await unit.load(Trigger, id)
            return JSONResponse({"items": await postgres_trigger_requests.latest(unit.connection, id), "next": None})

    return {
        "GET /v1/triggers/{id}/requests": requests,
    }


def outgoing_handlers(api: Api, calls: DispatcherCalls, checks: ChannelChecks) -> dict[str, Handler]:
    async def test(request: Request, id: str, body: api_calls.Test | None = None) -> Response:
        async with api.reading(request) as unit:
            stored = await unit.load(ApiCall, id)
        reply = await calls.test_api_call(stored.entity, (body or api_calls.Test()).params)
        if reply is None:
            raise errors.no_answer()
        shown = reply.model_dump(mode="json", include={"request", "status", "took_ms", "body", "problems"})
        if not reply.problems and stored.entity.kind == "http" and stored.entity.response == "envelope":
            async with api.site.checks.turn(stored.entity.project_id):
                wrong = await api.site.checks.wrong_answer(reply.body, reply.status)
            shown["problems"] = [wrong] if wrong else []
        return JSONResponse(shown)

    async def check(request: Request, id: str) -> Response:
        async with api.reading(request) as unit:
            stored = await unit.load(Channel, id)
        return JSONResponse(channel_checks.shown(await checks.check(stored.entity)))

    return {
        "POST /v1/api-calls/{id}/test": test,
        "POST /v1/channels/{id}/check": check,
    }
