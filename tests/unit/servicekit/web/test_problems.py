from typing import Annotated

import pytest
from fastapi import Body, Query
from pydantic import BaseModel

from servicekit.web.fastapi_app import api_app
from servicekit.web.problems import TYPE_BASE, ProblemError, not_found, problem, unavailable


class Order(BaseModel):
    id: int
    tags: list[int] = []


@pytest.fixture
def client(client_of):
    app = api_app("registry")

    @app.post("/orders")
    async def orders(order: Annotated[Order, Body()], limit: Annotated[int, Query(le=200)] = 50) -> int:
        return order.id

    @app.get("/refused")
    async def refused() -> None:
        raise ProblemError("peer-not-reachable", 409, "Peer not reachable", "Has not talked.", reason="has-not-talked")

    @app.get("/away")
    async def away() -> None:
        raise unavailable("Kafka is away.", 3)

    @app.get("/gone")
    async def gone() -> None:
        raise not_found("bot b1")

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("hunter2")

    return client_of(app)


def test_a_problem_has_its_type_and_leaves_out_what_is_not_there():
    response = problem("x", 409, "X", None, reason="y", errors=None)
    assert response.media_type == "application/problem+json"
    assert response.body == b'{"type":"%sx","title":"X","status":409,"reason":"y"}' % TYPE_BASE.encode()


async def test_a_raised_problem_is_the_answer(client):
    response = await client.get("/refused")
    assert response.status_code == 409
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["reason"] == "has-not-talked"
    assert response.json()["type"] == TYPE_BASE + "peer-not-reachable"


async def test_unavailable_says_when_to_come_back(client):
    response = await client.get("/away")
    assert (response.status_code, response.headers["retry-after"]) == (503, "3")


async def test_not_found_and_wrong_method_are_problems(client):
    assert (await client.get("/gone")).json()["detail"] == "bot b1 was not found."
    assert (await client.get("/nowhere")).json()["type"] == TYPE_BASE + "not-found"
    response = await client.put("/refused")
    assert (response.json()["status"], response.headers["allow"]) == (405, "GET")


async def test_an_error_of_ours_tells_nothing(client):
    response = await client.get("/broken")
    assert (response.status_code, response.json()["type"]) == (500, TYPE_BASE + "internal")
    assert "hunter2" not in response.text


async def test_wrong_fields_are_pointed_at(client):
    response = await client.post("/orders?limit=500", json={"id": "x", "tags": [1, "y"]})
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == ["query/limit", "#/id", "#/tags/1"]


async def test_a_body_that_is_not_json_is_400(client):
    response = await client.post("/orders", content=b'{"id": ', headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["type"]) == (400, TYPE_BASE + "not-json")


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/openapi/registry.json"])
async def test_the_framework_adds_no_pages_of_its_own(client, path):
    assert (await client.get(path)).status_code == 404


async def test_a_slash_too_many_is_not_found_and_leads_nowhere(client):
    response = await client.get("/gone/")
    assert (response.status_code, "location" in response.headers) == (404, False)
    assert response.json()["detail"]
