"""The HTTP applications of all four services in this process, without Kafka and PostgreSQL: for what holds of every route."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from pydantic import SecretStr
from starlette.types import ASGIApp

import dispatcher.web.routes as dispatcher_routes
import flow_engine.web.routes as engine_routes
from contracts.registry import Channel, Scope, Token
from contracts.routes import Service
from ingress.assembly import build
from ingress.settings import Settings
from registry.checking.checks import Checks
from registry.kafka.dispatcher_calls import DispatcherCalls
from registry.settings import ProjectLimits
from registry.site import Site
from registry.values.checking_worker import do
from registry.web.api import Api
from registry.web.app import build_app
from registry.writing.writes import Writes
from servicekit.credentials.links import LinkKeys
from servicekit.credentials.sealing import KeyRing
from servicekit.credentials.tokens import generate_token
from servicekit.database import Database
from servicekit.web.auth import Authoriser
from support.ingress_fakes import BOT, PROJECT, FakeAsker, FakePublisher, FakeView, registry
from support.letters_in_memory import LettersInMemory
from support.registry_api import ADMIN_TOKEN, KEK, LINK_KEY, PUBLIC_URL, FakeDispatcher
from support.workers_in_memory import WorkersInMemory

WEBCHAT = "web-1"


def token_of(view: FakeView, *scopes: Scope) -> str:
    """A new token of the fakes' project."""
    made = generate_token()
    view.put("token", Token(id=made.id, project_id=PROJECT, name="some", sha256=made.sha256, scopes=scopes))
    return made.text


class TokensOnly:
    """A pool whose one table is that of the tokens; the view is behind it."""

    def __init__(self, view: FakeView) -> None:
        self._view = view

    @contextlib.asynccontextmanager
    async def acquire(self) -> AsyncIterator[TokensOnly]:
        yield self

    async def fetchrow(self, statement: str, kind: str, sha256: str) -> dict[str, Any] | None:
        """The row of the token with that digest."""
        found = self._view.find(kind, "sha256", sha256)
        now = datetime.now(UTC)
        data = found and found.model_dump_json()
        return data and {"data": data, "extra": "{}", "version": 1, "created_at": now, "updated_at": now}


def every_app() -> tuple[dict[Service, ASGIApp], FakeView]:
    """The four applications, and the view that they look tokens up in."""
    view, _ = registry()
    view.put("channel", Channel(id=WEBCHAT, project_id=PROJECT, bot_id=BOT, type="webchat", name="web"))
    operator = SecretStr(ADMIN_TOKEN)
    deps: Any = SimpleNamespace(authoriser=Authoriser(view, operator), pool=None)
    settings = Settings(admin_token=operator, link_key=SecretStr(LINK_KEY), public_url=PUBLIC_URL)
    ingress = build(settings, view, FakeAsker(), FakePublisher())
    ingress.closed.known = True
    apps: dict[Service, ASGIApp] = {
        "ingress": ingress.app,
        "flow-engine": engine_routes.make_app(deps),
        "dispatcher": dispatcher_routes.make_app(deps),
        "registry": registry_app(view),
    }
    return apps, view


def registry_app(view: FakeView) -> ASGIApp:
    """The registry's application, whose database knows nothing but tokens."""
    pool: Any = TokensOnly(view)
    database = Database("registry", pool)
    limits, checks = ProjectLimits({}, 50, 2**26), Checks(WorkersInMemory(lambda: do))
    site = Site(PUBLIC_URL, KeyRing(SecretStr(KEK)), LinkKeys(SecretStr(LINK_KEY)), limits, checks)
    confirmation: Any = None
    api = Api(database, Writes(database, confirmation, site), site, SecretStr(ADMIN_TOKEN))
    fake = FakeDispatcher()
    return build_app(api, DispatcherCalls(fake, fake), LettersInMemory())
