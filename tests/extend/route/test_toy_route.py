"""A new route is a row, a handler and an operation: authorisation, 405, document and the gateway's routing follow."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.types import ASGIApp

import dispatcher.web.routes as dispatcher_routes
from contracts.routes import ROUTES, Route, UnboundRoute, prefixes
from dispatcher.web.openapi import OPERATIONS
from extend.route import toy
from ingress.web.app import App
from ingress.web.places import Places
from servicekit.web.auth import Authoriser
from servicekit.web.openapi import document
from servicekit.web.routes import api
from support import asgi
from support.every_app import token_of
from support.ingress_fakes import PROJECT, FakeView
from support.registry_api import ADMIN_TOKEN

VIEW = FakeView()
AUTHORISER = Authoriser(VIEW, SecretStr(ADMIN_TOKEN))
DEPS: Any = SimpleNamespace(authoriser=AUTHORISER)
WITH_SCOPE, WITHOUT = token_of(VIEW, "deliveries:read", "flows:execute"), token_of(VIEW, "data:read")


def dispatcher_with_toy() -> ASGIApp:
    handlers = dispatcher_routes.handlers(DEPS) | {toy.GREETING.name: toy.greet}
    operations = OPERATIONS | {toy.GREETING.name: toy.OPERATION}
    return api("dispatcher", handlers, operations, AUTHORISER, (*ROUTES, toy.GREETING))


def ingress_with_toy() -> ASGIApp:
    return App(Places((toy.WAVE,), {toy.WAVE.name: toy.wave}), AUTHORISER, lambda: True, {})


APPS = [(toy.GREETING, dispatcher_with_toy()), (toy.WAVE, ingress_with_toy())]


@pytest.mark.parametrize(("row", "app"), APPS, ids=lambda each: getattr(each, "service", ""))
async def test_the_row_decides_who_may_call_and_how(row: Route, app: ASGIApp) -> None:
    path = row.path.format(name="Ada")
    answers = [
        await asgi.call(app, row.method, path, headers={"authorization": f"Bearer {token}"} if token else {})
        for token in (None, WITHOUT, WITH_SCOPE)
    ]
    assert [answer.status for answer in answers] == [401, 403, 200]
    assert answers[1].json["scope"] == row.scope
    assert answers[2].json == {"text": "Hello Ada", "project": PROJECT}
    other = await asgi.call(app, "DELETE", path)
    assert other.status == 405
    assert row.method in other.headers["allow"]


async def test_it_is_in_its_services_document() -> None:
    found = (await asgi.call(dispatcher_with_toy(), "GET", "/openapi/dispatcher.json")).json
    operation = found["paths"][toy.GREETING.path]["get"]
    assert (operation["summary"], operation["security"]) == ("Greet somebody", [{"token": ["deliveries:read"]}])
    assert operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].endswith("/Greeting")


def test_the_gateway_sends_its_paths_to_its_service() -> None:
    table = prefixes((*ROUTES, toy.GREETING, toy.WAVE))
    assert (table["greetings"], table["waves"]) == ("dispatcher", "ingress")


def test_a_row_that_nobody_answers_or_describes_is_refused_at_the_start() -> None:
    table = (*ROUTES, toy.GREETING)
    with pytest.raises(UnboundRoute, match="rows without handlers"):
        api("dispatcher", dispatcher_routes.handlers(DEPS), OPERATIONS, AUTHORISER, table)
    with pytest.raises(UnboundRoute, match=toy.GREETING.path):
        document("dispatcher", OPERATIONS, table)
