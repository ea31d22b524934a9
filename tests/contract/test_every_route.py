"""What holds of every row of the route table, against the applications of all four services."""

from __future__ import annotations

import re

import pytest

from contracts.routes import ACTING, ROUTES, Route, Service
from servicekit.web.auth import ADMIN
from support import asgi
from support.every_app import WEBCHAT, every_app, token_of
from support.registry_api import ADMIN_TOKEN

VALUES = {"trigger": "trigger-1", "bot": "bot-1", "channel": "channel-1"}
"""What the fakes have; any other parameter is a name that nothing has."""
SECURED = [row for row in ROUTES if row.scope is not None]
SERVICES: list[Service] = ["ingress", "flow-engine", "dispatcher", "registry"]
APPS, VIEW = every_app()
NO_SCOPE = token_of(VIEW)


def path_of(row: Route) -> str:
    values = VALUES | ({"channel": WEBCHAT} if row.prefix == "web" else {})
    return row.path.format(**{name: values.get(name, "1") for name in row.parameters})


async def call(row: Route, token: str | None) -> asgi.Response:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    body = {} if row.method in ("POST", "PUT", "PATCH") else None
    return await asgi.call(APPS[row.service], row.method, path_of(row), json=body, headers=headers)


def name_of(row: Route) -> str:
    return row.name


@pytest.mark.parametrize("row", SECURED, ids=name_of)
async def test_without_a_token_it_is_401(row: Route) -> None:
    answer = await call(row, None)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("row", SECURED, ids=name_of)
async def test_a_token_without_the_scope_is_403_and_told_which(row: Route) -> None:
    answer = await call(row, NO_SCOPE)
    assert (answer.status, answer.json["scope"]) == (403, row.scope)


@pytest.mark.parametrize("row", [row for row in ROUTES if row.proof == "operator"], ids=name_of)
async def test_what_is_the_operators_is_refused_to_everybody_else(row: Route) -> None:
    answer = await call(row, token_of(VIEW, ADMIN))
    assert (answer.status, answer.json["type"].rpartition("/")[2]) == (403, "operator-only")


@pytest.mark.parametrize("row", ROUTES, ids=name_of)
async def test_another_method_is_405_and_told_which_there_are(row: Route) -> None:
    answer = await asgi.call(APPS[row.service], "TRACE", path_of(row))
    allowed = {each.method for each in ROUTES if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", each.path), path_of(row))}
    told = set(answer.headers["allow"].replace(" ", "").split(","))
    assert answer.status == 405
    assert told - {"HEAD"} == allowed


@pytest.mark.parametrize("row", [row for row in ROUTES if row.method == "GET"], ids=name_of)
async def test_head_is_answered_as_get_where_a_get_only_reads(row: Route) -> None:
    path = path_of(row)
    head = await asgi.call(APPS[row.service], "HEAD", path)
    if row.proof in ACTING:
        assert (head.status, "HEAD" in head.headers["allow"]) == (405, False)
    else:
        get = await asgi.call(APPS[row.service], "GET", path)
        assert (head.status, head.headers.get("content-type")) == (get.status, get.headers.get("content-type"))


@pytest.mark.parametrize("service", SERVICES)
async def test_a_page_that_is_only_read_says_so(service: Service) -> None:
    path = f"/openapi/{service}.json"
    assert [(await asgi.call(APPS[service], method, path)).status for method in ("GET", "HEAD")] == [200, 200]
    refused = await asgi.call(APPS[service], "POST", path)
    assert (refused.status, set(refused.headers["allow"].split(", "))) == (405, {"GET", "HEAD"})


@pytest.mark.parametrize("service", SERVICES)
async def test_what_no_row_names_is_404(service: Service) -> None:
    headers = {"authorization": f"Bearer {ADMIN_TOKEN}"}
    for path in ("/v1", "/v1/nothing", f"/v1/{next(row.prefix for row in ROUTES if row.service == service)}/a/b/c/d/e"):
        answer = await asgi.call(APPS[service], "GET", path, headers=headers)
        assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")
