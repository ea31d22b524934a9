"""The services' OpenAPI documents as one."""

from typing import Any

import pytest

from contracts.gateway import service_for
from devstack.openapi import merge


def document(path: str, **schemas: Any) -> dict[str, Any]:
    answer = {"$ref": f"#/components/schemas/{next(iter(schemas))}"}
    return {"openapi": "3.1.0", "paths": {path: {"get": answer}}, "components": {"schemas": schemas}}


def test_paths_and_schemas_of_all_are_in_the_one() -> None:
    merged = merge({"registry": document("/v1/bots", Bot={"a": 1}), "dispatcher": document("/v1/stats", Stats={})})
    assert merged["paths"].keys() == {"/v1/bots", "/v1/stats"}
    assert merged["components"]["schemas"] == {"Bot": {"a": 1}, "Stats": {}}


def test_equal_schemas_are_one_and_different_ones_of_one_name_are_told_apart() -> None:
    merged = merge(
        {"registry": document("/a", Page={"n": 1}, Problem={}), "dispatcher": document("/b", Page={"n": 2}, Problem={})}
    )
    assert merged["components"]["schemas"] == {"registry.Page": {"n": 1}, "dispatcher.Page": {"n": 2}, "Problem": {}}
    assert merged["paths"]["/b"]["get"] == {"$ref": "#/components/schemas/dispatcher.Page"}


@pytest.mark.parametrize(
    ("path", "service"),
    [("/openapi/flow-engine.json", "flow-engine"), ("/openapi/other.json", "registry")],
)
def test_a_services_own_document_lies_at_its_name(path: str, service: str) -> None:
    assert service_for(path) == service
