"""The route table, and what is filed under its rows."""

from __future__ import annotations

import pytest

from contracts.routes import PREFIXES, ROUTES, ROWS, SCOPED, Route, UnboundRoute, bind, prefixes

TABLE = (
    Route("GET", "/v1/bots", "registry", "List", "admin"),
    Route("GET", "/v1/run/{id}", "ingress", "Run", proof="none"),
)


def test_a_service_gets_its_own_rows() -> None:
    assert bind("registry", {"GET /v1/bots": "handler"}, TABLE) == [(TABLE[0], "handler")]


@pytest.mark.parametrize(
    ("handlers", "complaint"),
    [
        ({}, r"rows without handlers \['GET /v1/bots'\]"),
        ({"GET /v1/bots": 1, "PUT /v1/bots": 2}, r"handlers without rows \['PUT /v1/bots'\]"),
        ({"GET /v1/bots": 1, "GET /v1/run/{id}": 2}, r"handlers without rows \['GET /v1/run/{id}'\]"),
    ],
)
def test_a_row_without_handler_and_a_handler_without_row_are_refused(handlers: dict[str, int], complaint: str) -> None:
    with pytest.raises(UnboundRoute, match=complaint):
        bind("registry", handlers, TABLE)


def test_a_row_that_any_token_would_open_is_refused() -> None:
    table = (*TABLE, Route("GET", "/v1/sales", "registry", "List sales"))
    with pytest.raises(UnboundRoute, match=r"name no scope \['GET /v1/sales'\]"):
        bind("registry", {"GET /v1/bots": 1, "GET /v1/sales": 2}, table)


def test_no_row_stands_there_twice() -> None:
    assert len(ROWS) == len(ROUTES)


def test_the_first_segment_decides_the_service() -> None:
    assert {PREFIXES[row.prefix] for row in ROUTES} == {"ingress", "flow-engine", "dispatcher", "registry"}
    with pytest.raises(ValueError, match="/v1/bots belongs to registry and to ingress"):
        prefixes((TABLE[0], Route("GET", "/v1/bots/{id}", "ingress", "Show")))


@pytest.mark.parametrize("row", ROUTES, ids=lambda row: row.name)
def test_a_scope_is_named_where_a_token_is_asked_for_and_only_there(row: Route) -> None:
    assert (row.scope is not None) == (row.proof in SCOPED)
