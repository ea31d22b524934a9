"""All four services' HTTP on sockets of this process, over twins and databases, in a loop of their own: for callers that
are not asynchronous."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import orjson
from pydantic import SecretStr
from starlette.types import ASGIApp

import dispatcher.web.routes as dispatcher_routes
import flow_engine.web.routes as engine_routes
import flow_engine.web.writing as engine_writing
from contracts.inbound import Problem
from contracts.replies import ImportedLine, ImportReply, MessagesReply, RunReply
from contracts.routes import Service
from flow_engine.catalogue.links import LinkMaker
from flow_engine.catalogue.registry_catalogue import RegistryCatalogue
from flow_engine.segments import walker
from flow_engine.segments.members import Segments, segment_of
from flow_engine.simulating import worker as simulating_worker
from flow_engine.simulating.simulator import Simulator
from flow_engine.web.inbox_stream import Streams
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
from servicekit.database import Database, connect
from servicekit.kafka.records import Outgoing
from servicekit.settings import ServiceSettings
from servicekit.web.auth import Authoriser
from servicekit.web.requests import Inflated
from servicekit.web.server import Listening
from support.conversations_in_memory import ConversationsInMemory
from support.engine_database import PSEUDONYMS
from support.ingress_fakes import PROJECT, FakeAsker, FakePublisher, FakeView
from support.letters_in_memory import LettersInMemory
from support.registry_api import ADMIN_TOKEN, KEK, LINK_KEY, PUBLIC_URL, FakeDispatcher, answered
from support.registry_in_memory import ViewInMemory
from support.workers_in_memory import WorkersInMemory

OPERATOR = SecretStr(ADMIN_TOKEN)


class Confirmed:
    """Kafka has whatever is asked about."""

    async def seen(self, wanted: Mapping[str, Any], seconds: float) -> bool:
        """At once."""
        return True


TAKEN = Problem(type="contact-exists", title="Taken", status=409, detail="Another contact has this external_id.")


class PlayedEngine(FakePublisher):
    """Takes what ingress publishes, and answers who waits at once: a run ends without a word, a chat is empty."""

    def __init__(self, asker: FakeAsker) -> None:
        super().__init__()
        self.on_record = self._answer
        self._asker = asker

    def said(self, reply: RunReply) -> RunReply:
        """What it says."""
        return reply

    def _answer(self, record: Outgoing) -> None:
        value = orjson.loads(record.value or b"{}")
        if value.get("kind") == "attach":
            request_id: str = value["request_id"]
            reply: Any = MessagesReply(
                instance="i", request_id=request_id, conversation="b/c/p", messages=(), last_seq=0
            )
        elif value.get("kind") == "contact_import":
            request_id = value["reply_to"]["request_id"]
            lines = tuple(ImportedLine(line=line["line"], problem=TAKEN) for line in value["lines"])
            reply = ImportReply(instance="i", request_id=request_id, lines=lines)
        elif reply_to := value.get("reply_to"):
            request_id = reply_to["request_id"]
            event_id = dict(record.headers)["ce_id"].decode()
            reply = self.said(RunReply(instance="i", request_id=request_id, event_id=event_id, status="completed"))
        else:
            return
        asyncio.get_running_loop().call_soon(self._asker.futures[request_id].set_result, reply)


class RefusesContacts(PlayedEngine):
    """An engine that takes no write of a contact."""

    def said(self, reply: RunReply) -> RunReply:
        return reply.model_copy(update={"status": "rejected", "problem": TAKEN})


def ingress_app(view: FakeView) -> ASGIApp:
    """Ingress without Kafka, and an engine that is played."""
    settings = Settings(admin_token=OPERATOR, link_key=SecretStr(LINK_KEY), kek=SecretStr(KEK), public_url=PUBLIC_URL)
    asker = FakeAsker()
    ingress = build(settings, view, asker, PlayedEngine(asker))
    ingress.closed.known = True
    return ingress.app


def engine_app(view: FakeView, pool: Any) -> ASGIApp:
    """The engine's log of events, which is empty, and its contacts, on a database."""
    asker: Any = FakeAsker()
    publisher: Any = RefusesContacts(asker)
    found: Any = view
    catalogue = RegistryCatalogue(ViewInMemory(*view.entities.values()), LinkMaker(LinkKeys(LINK_KEY), PUBLIC_URL))  # type: ignore[arg-type]
    deps: Any = SimpleNamespace(
        authoriser=Authoriser(view, OPERATOR),
        store=ConversationsInMemory(),
        pool=pool,
        bot=lambda id: view.get("bot", id),
        bots=lambda project: view.all("bot", project),
        project=lambda id: view.get("project", id),
        pseudonyms=PSEUDONYMS,
        catalogue=catalogue,
        flows_of=catalogue.flows_of,
        simulator=Simulator(WorkersInMemory(lambda: simulating_worker.simulate)),
        agent=lambda id: view.get("agent", id),
        tokens_of=lambda id: [],
        channel=lambda id: view.get("channel", id),
        segment=lambda project, name: segment_of(found, project, name),
        segments=Segments(WorkersInMemory(lambda: walker.ask)),
        segments_of=lambda project: view.all("segment", project),
        streams=Streams(),
        writes=engine_writing.Writes(publisher, asker, view),
        trigger=lambda id: view.get("trigger", id),
        publisher=FakePublisher(),
        project_of=lambda bot_id: PROJECT,
    )
    return engine_routes.make_app(deps)


def dispatcher_app(view: FakeView, pool: Any) -> ASGIApp:
    """The delivery log, on a database."""
    deps: Any = SimpleNamespace(authoriser=Authoriser(view, OPERATOR), pool=pool, wake=lambda: None)
    return dispatcher_routes.make_app(deps)


def registry_app(pool: Any) -> ASGIApp:
    """The registry on a database; its calls are answered by nobody's API."""
    database = Database("registry", pool)
    limits, checks = ProjectLimits({}, 100_000, 2**30), Checks(WorkersInMemory(lambda: do))
    site = Site(PUBLIC_URL, KeyRing(SecretStr(KEK)), LinkKeys(SecretStr(LINK_KEY)), limits, checks)
    confirmed: Any = Confirmed()
    fake = FakeDispatcher()
    fake.reply = lambda action: answered(status=200, body={}, took_ms=1)
    api = Api(database, Writes(database, confirmed, site), site, OPERATOR)
    return build_app(api, DispatcherCalls(fake, fake), LettersInMemory())


@contextlib.contextmanager
def served(view: FakeView, databases: Mapping[str, str]) -> Iterator[dict[Service, str]]:
    """Service -> its base URL. `databases`: the DSNs of `dispatcher`, `registry` and `flow_engine`."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def wait_for(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(30)

    running = _Served(view, databases)
    try:
        yield wait_for(running.start())
    finally:
        wait_for(running.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Served:
    def __init__(self, view: FakeView, databases: Mapping[str, str]) -> None:
        self._view, self._databases = view, databases
        self._pools: list[Any] = []
        self._listening: list[Listening] = []

    async def start(self) -> dict[Service, str]:
        dispatcher, registry, engine = [await self._pool(name) for name in ("dispatcher", "registry", "flow_engine")]
        apps: dict[Service, ASGIApp] = {
            "ingress": ingress_app(self._view),
            "flow-engine": engine_app(self._view, engine),
            "dispatcher": dispatcher_app(self._view, dispatcher),
            "registry": registry_app(registry),
        }
        found: dict[Service, str] = {}
        for service, app in apps.items():
            listening = Listening(Inflated(app))
            self._listening.append(listening)
            found[service] = f"http://127.0.0.1:{await listening.start('127.0.0.1', 0)}"
        return found

    async def stop(self) -> None:
        for listening in self._listening:
            await listening.stop()
        for pool in self._pools:
            await pool.close()

    async def _pool(self, name: str) -> Any:
        settings = ServiceSettings(admin_token=OPERATOR, database=SecretStr(self._databases[name]))
        pool = await connect(settings, name)
        self._pools.append(pool)
        return pool
