"""The OpenAPI documents: every row in its service's, complete, valid, and all of them in the one that is shipped."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from contracts.event_types import EVENTS
from contracts.routes import ROUTES, Route, Service
from devstack import openapi
from devstack.paths import ROOT
from servicekit.web import field_words
from support import asgi
from support.every_app import every_app

SERVICES: list[Service] = ["ingress", "flow-engine", "dispatcher", "registry"]
APPS, _ = every_app()
WITHOUT_BODY = {"GET", "DELETE"}
ACTIONS_WITHOUT_BODY = re.compile(
    r"/(enable|disable|check|replay|kafka|takeover|read|pause|resume|cancel)$|/(dlq|held)/\{\w+\}/release$|/dlq/\{id\}/discard$"
)


async def document(service: Service) -> Any:
    answer = await asgi.call(APPS[service], "GET", f"/openapi/{service}.json")
    assert answer.status == 200
    return answer.json


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from [node["$ref"]] if "$ref" in node else []
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


@pytest.mark.parametrize("service", SERVICES)
async def test_a_document_has_the_rows_of_its_service_and_no_others(service: Service) -> None:
    described = {(method.upper(), path) for path, item in (await document(service))["paths"].items() for method in item}
    assert described == {(row.method, row.path) for row in ROUTES if row.service == service}


@pytest.mark.parametrize("row", ROUTES, ids=lambda row: row.name)
async def test_each_row_says_what_goes_in_what_comes_out_and_how_it_is_refused(row: Route) -> None:
    operation = (await document(row.service))["paths"][row.path][row.method.lower()]
    assert operation["summary"] == row.what
    assert [each["name"] for each in operation["parameters"] if each["in"] == "path"] == list(row.parameters)
    has_body = row.method not in WITHOUT_BODY and not (
        row.service != "ingress" and ACTIONS_WITHOUT_BODY.search(row.path) and row.path != "/v1/flows/check"
    )
    assert ("requestBody" in operation) == has_body
    answers = operation["responses"]
    assert any(status[0] in "23" for status in answers)
    assert answers["default"]["content"].keys() == {"application/problem+json"}
    assert ({"401", "403"} <= answers.keys()) == (row.scope is not None)
    assert operation["security"][:1] == ([{"token": [row.scope]}] if row.scope else operation["security"][:1])


@pytest.mark.parametrize("service", SERVICES)
async def test_every_reference_leads_somewhere_and_every_schema_is_one(service: Service) -> None:
    found = await document(service)
    schemas = found["components"]["schemas"]
    assert {each.removeprefix("#/components/schemas/") for each in references(found)} <= schemas.keys()
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("file", [*(f"contracts/schemas/openapi-{each}.json" for each in SERVICES), "shipped"])
def test_a_document_is_valid_by_somebody_elses_validator(file: str) -> None:
    """References, schemas, defaults, parameters of paths: all that openapi-spec-validator looks at."""
    path = openapi.FILE if file == "shipped" else ROOT / file
    assert [error.message for error in OpenAPIV31SpecValidator(json.loads(path.read_text())).iter_errors()] == []


@pytest.mark.parametrize("service", SERVICES)
async def test_whatever_a_caller_gives_is_described(service: Service) -> None:
    found = await document(service)
    silent = [
        f"{method} {path} {each['name']}"
        for path, item in found["paths"].items()
        for method, operation in item.items()
        for each in operation["parameters"]
        if not each.get("description")
    ]
    assert silent == []


def bodies_of(found: Any) -> Iterator[str]:
    """What the bodies of requests refer to."""
    for item in found["paths"].values():
        for operation in item.values():
            yield from references(operation.get("requestBody", {}))


@pytest.mark.parametrize("service", SERVICES)
async def test_each_field_of_a_body_that_is_sent_is_described(service: Service) -> None:
    found = await document(service)
    bodies = {reference.rpartition("/")[2] for reference in bodies_of(found)}
    shown = {name: found["components"]["schemas"][name].get("properties", {}) for name in bodies}
    assert [
        f"{name}.{field}" for name, fields in shown.items() for field in fields if "description" not in fields[field]
    ] == []


@pytest.mark.parametrize("service", SERVICES)
async def test_each_field_is_described_and_has_an_example_that_fits(service: Service) -> None:
    """Of answers, too. Examples are for texts and numbers; of the others the schema says what they are."""
    models = (await document(service))["components"]["schemas"]
    fields = {
        f"{name}.{field}": shown for name in models for field, shown in models[name].get("properties", {}).items()
    }
    assert [name for name, shown in fields.items() if "description" not in shown] == []
    sent = {reference.rpartition("/")[2] for reference in bodies_of(await document(service))}
    answers = {name: shown for name, shown in fields.items() if name.partition(".")[0] not in sent}
    assert [name for name, shown in answers.items() if field_words.is_plain(shown) and "examples" not in shown] == []
    wrong = [
        name
        for name, shown in fields.items()
        for example in shown.get("examples", ())
        if not Draft202012Validator(shown | {"components": {"schemas": models}}).is_valid(example)
    ]
    assert wrong == []


def test_each_word_is_that_of_a_field() -> None:
    shown = [
        json.loads((ROOT / "contracts" / "schemas" / f"openapi-{service}.json").read_text()) for service in SERVICES
    ]
    models = [item for each in shown for item in each["components"]["schemas"].items()]
    fields = {
        name
        for model, schema in models
        for field in schema.get("properties", {})
        for name in (field, f"{model}.{field}")
    }
    assert field_words.WORDS.keys() - fields == set()


async def test_operations_have_names_of_their_own() -> None:
    operations = [
        operation["operationId"]
        for service in SERVICES
        for item in (await document(service))["paths"].values()
        for operation in item.values()
    ]
    assert len(operations) == len(set(operations))


async def test_the_shipped_document_is_that_of_the_services() -> None:
    merged = openapi.merge({service: await document(service) for service in openapi.SERVICES})
    assert openapi.FILE.read_text() == openapi.as_text(merged), "run ./switchhook schemas and commit what it writes"


@pytest.mark.parametrize("service", SERVICES)
async def test_the_committed_document_of_a_service_is_its_own(service: Service) -> None:
    committed = openapi.file_of(service).read_text()
    assert committed == openapi.as_text(await document(service)), "run ./switchhook schemas and commit what it writes"


def test_every_event_that_endpoints_choose_is_described_as_a_webhook_with_an_example_that_fits() -> None:
    webhooks = openapi.webhooks()
    assert webhooks.keys() == {name for name, kind in EVENTS.items() if kind.offered}
    for name, item in webhooks.items():
        content = item["post"]["requestBody"]["content"]["application/json"]
        Draft202012Validator.check_schema(content["schema"])
        Draft202012Validator(content["schema"]).validate(content["example"])
        assert content["example"]["type"] == name
        assert not list(references(item))


async def test_the_registry_shows_the_shipped_document() -> None:
    answer = await asgi.call(APPS["registry"], "GET", "/openapi.json")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json["paths"].keys() == {row.path for row in ROUTES}


async def test_the_page_loads_nothing_from_elsewhere() -> None:
    page = await asgi.call(APPS["registry"], "GET", "/docs")
    assert page.status == 200
    assert "'unsafe-eval'" not in page.headers["content-security-policy"]
    assert "script-src 'self';" in page.headers["content-security-policy"]
    loaded = re.findall(r'(?:src|href)="([^"]*)"', page.body.decode())
    assert loaded
    for path in loaded:
        assert path.startswith("/docs/")
        asset = await asgi.call(APPS["registry"], "GET", path)
        assert asset.status == 200
        assert asset.body
    assert "<script>" not in page.body.decode()
    style = await asgi.call(APPS["registry"], "GET", "/docs/swagger-ui.css")
    assert not re.search(rb"(@import|url\((?!data:|\"data:|'data:))", style.body)
