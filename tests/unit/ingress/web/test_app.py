"""What holds for every door."""

import pytest

from contracts.routes import ROUTES
from ingress.web.openapi import document


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/", "/v2/run/trigger-1", "/run/trigger-1", "/v1/nothing", "//v1/run/x"]
)
async def test_what_is_no_door_is_404(rig, path):
    answer = await rig.call("GET", path)
    assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(
    "path", ["/v1/run", "/v1/run/a/b", "/v1/w/a/b", "/v1/web/a", "/v1/talk/b/sessions/s", "/v1/signals/x"]
)
async def test_a_longer_or_shorter_path_is_404(rig, path):
    assert (await rig.call("POST", path, json={})).status == 404


async def test_a_request_needs_exactly_one_host(rig):
    answer = await rig.call("POST", "/v1/run/trigger-1", headers={"host": "a", "Host": "b"})
    assert answer.status == 400


async def test_a_bug_is_500_and_tells_nothing(rig, monkeypatch):
    monkeypatch.setattr(rig.view, "get", lambda *_: 1 / 0)
    answer = await rig.call("POST", "/v1/run/trigger-1", json={})
    assert (answer.status, answer.json["type"].rpartition("/")[2]) == (500, "internal")
    assert "division" not in answer.body.decode()


async def test_the_document_names_every_route_of_the_contract(rig):
    answer = await rig.call("GET", "/openapi/ingress.json")
    assert answer.status == 200
    described = {
        (method.upper(), path)
        for path, item in answer.json["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert described == {(route.method, route.path) for route in ROUTES if route.service == "ingress"}


def test_every_reference_of_the_document_leads_somewhere():
    made = document()
    found = []

    def walk(node):
        if isinstance(node, dict):
            found.extend([node["$ref"]] if "$ref" in node else [])
            for child in node.values():
                walk(child)
        elif isinstance(node, list):
            for child in node:
                walk(child)

    walk(made)
    assert found
    assert {ref.removeprefix("#/components/schemas/") for ref in found} <= made["components"]["schemas"].keys()
