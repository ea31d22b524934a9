"""What the absence of PostgreSQL raises in a handler is 503 `unavailable`, with the time to come again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import asyncpg
import httpx
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

import dispatcher.web.routes as dispatcher_routes
import flow_engine.web.routes as engine_routes
from servicekit.observability.repeats import Repeated
from servicekit.web import database_away
from servicekit.web.auth import Authoriser
from support.every_app import token_of
from support.ingress_fakes import registry
from support.registry_api import ADMIN_TOKEN

ABSENCES = [
    ConnectionRefusedError(),
    TimeoutError(),
    asyncpg.CannotConnectNowError(),
    asyncpg.InterfaceError("closed"),
    asyncpg.DiskFullError("No space left on device"),
    asyncpg.ReadOnlySQLTransactionError("cannot execute INSERT in a read-only transaction"),
    asyncpg.InsufficientPrivilegeError("permission denied for table entity"),
    asyncpg.LockNotAvailableError("canceling statement due to lock timeout"),
]
ROUTES = [
    (dispatcher_routes, "/v1/deliveries"),
    (engine_routes, "/v1/events/01a20003-3ba4-7a52-8003-fd129b7b0c52"),
]


class Away:
    """A pool whose server does not answer; the engine's events are behind it, too."""

    def __init__(self, absence: Exception) -> None:
        self._absence = absence

    def __getattr__(self, _: str) -> Any:
        raise self._absence


@pytest.mark.parametrize("absence", ABSENCES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(("routes", "path"), ROUTES, ids=["dispatcher", "flow-engine"])
async def test_it_is_503_and_worth_another_try(routes: Any, path: str, absence: Exception) -> None:
    view, _ = registry()
    token = token_of(view, "data:read", "deliveries:read")
    away = Away(absence)
    deps: Any = SimpleNamespace(authoriser=Authoriser(view, SecretStr(ADMIN_TOKEN)), pool=away, store=away)
    transport = httpx.ASGITransport(routes.make_app(deps), raise_app_exceptions=False)

    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get(path, headers={"authorization": f"Bearer {token}"})

    assert (answer.status_code, answer.headers.get("retry-after")) == (503, "1")
    assert answer.json()["type"].endswith("/unavailable")


async def test_however_many_ask_the_log_says_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_away, "_away", Repeated("api.database_away"))
    view, _ = registry()
    headers = {"authorization": f"Bearer {token_of(view, 'deliveries:read')}"}
    away = Away(TimeoutError())
    deps: Any = SimpleNamespace(authoriser=Authoriser(view, SecretStr(ADMIN_TOKEN)), pool=away, store=away)
    transport = httpx.ASGITransport(dispatcher_routes.make_app(deps), raise_app_exceptions=False)

    with capture_logs() as lines:
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
            answers = [await client.get("/v1/deliveries") for _ in range(5)]

    assert {answer.status_code for answer in answers} == {503}
    assert [line["event"] for line in lines] == ["api.database_away"]
