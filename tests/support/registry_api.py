"""The registry as tests run it: the real parts on a topic and a database of the test's own, called without a socket."""

from __future__ import annotations

import asyncio
import contextlib
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import httpx
from pydantic import SecretStr

from contracts.actions import ActionAdapter
from contracts.inbound import ReplyTo
from contracts.replies import CallReply
from contracts.routes import ROUTES, Route
from registry.checking.checks import Checks
from registry.kafka.dispatcher_calls import DispatcherCalls
from registry.publishing.relay import Relay
from registry.resources.kinds import RESOURCES
from registry.resources.resource import AnyResource
from registry.settings import ProjectLimits, Settings
from registry.site import Site
from registry.values.checking_worker import do
from registry.web.api import Api
from registry.web.app import build_app
from registry.web.dead_letters import Letters
from registry.web.openapi import operations
from registry.writing.topic_tail import TopicTail
from registry.writing.writes import Writes
from servicekit.credentials.links import LinkKeys
from servicekit.credentials.sealing import KeyRing
from servicekit.database import Database, connect
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.records import Outgoing
from support.described import Described
from support.letters_in_memory import LettersInMemory
from support.workers_in_memory import WorkersInMemory

ADMIN_TOKEN = "operator-token-of-the-tests-0123456789"
KEK = "k1:" + b64encode(bytes(32)).decode()
LINK_KEY = "link-key-of-the-tests-0123456789abcdef"
DESCRIBED = Described("registry", operations(RESOURCES))
PUBLIC_URL = "https://hooks.example.com"
Reply = Callable[[Any], CallReply | None]
"""What the dispatcher answers to an action; None: nothing."""


class FakeDispatcher:
    """Both ends of a call: takes the action that is published and answers who waits for it."""

    def __init__(self) -> None:
        self.actions: list[Any] = []
        self.reply: Reply = lambda action: None
        self._waiting: dict[str, asyncio.Future[Any]] = {}

    async def wait_ready(self) -> None:
        """It always is."""

    def ask(self, until: str) -> tuple[ReplyTo, asyncio.Future[Any]]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        to = ReplyTo(instance="test", partition=0, request_id=f"request-{len(self._waiting)}", until="rest")
        self._waiting[to.request_id] = future
        return to, future

    async def publish(self, record: Outgoing) -> int:
        action = ActionAdapter.validate_json(record.value or b"")
        self.actions.append(action)
        reply = self.reply(action)
        if reply is not None:
            self._waiting[action.reply_to.request_id].set_result(reply)
        return 0

    async def publish_many(self, records: Sequence[Outgoing]) -> None:
        for record in records:
            await self.publish(record)


def answered(**fields: Any) -> CallReply:
    """What the dispatcher says of a call."""
    return CallReply(**{"instance": "test", "request_id": "any", **fields})


def settings_for(cluster: Cluster, dsn: str) -> Settings:
    return Settings(
        kafka=cluster.servers,
        topic_prefix=cluster.topic_prefix,
        database=SecretStr(dsn),
        admin_token=SecretStr(ADMIN_TOKEN),
        kek=SecretStr(KEK),
        link_key=SecretStr(LINK_KEY),
        public_url=PUBLIC_URL,
    )


class RegistryUnderTest:
    """One replica. `client` calls it as the operator; `as_token` as somebody else."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        *,
        confirm_seconds: float,
        resources: Sequence[AnyResource] = RESOURCES,
        table: Sequence[Route] = ROUTES,
        calls: DispatcherCalls | None = None,
        letters: Letters | None = None,
        limits: ProjectLimits | None = None,
        checks: Checks | None = None,
    ) -> None:
        self.settings, self.database = settings, database
        self.site = Site(
            settings.public_url,
            KeyRing(settings.kek),
            LinkKeys(settings.link_key),
            limits or settings.limits,
            checks or Checks(WorkersInMemory(lambda: do)),
            topic_prefix=settings.topic_prefix,
        )
        self.tail = TopicTail(settings.cluster)
        self.relay = Relay(database.pool, settings.cluster, self.tail, self.site.keys)
        self.dispatcher = FakeDispatcher()
        writes = Writes(database, self.tail, self.site, confirm_seconds=confirm_seconds)
        api = Api(database, writes, self.site, settings.admin_token)
        self.letters = LettersInMemory()
        calls = calls or DispatcherCalls(self.dispatcher, self.dispatcher)
        self.app = build_app(api, calls, letters or self.letters, resources, table)
        self.client = self.as_token(ADMIN_TOKEN)

    def as_token(self, token: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, client=("203.0.113.7", 4321)),
            base_url="http://registry.test",
            headers={"authorization": f"Bearer {token}"},
        )

    @contextlib.asynccontextmanager
    async def running(self, *, cut_off: bool) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(work) for work in (self.tail.run(), self.relay.run())]
        try:
            yield
        finally:
            if not cut_off:
                async with asyncio.timeout(30):  # A reader that is stopped as it connects leaks.
                    await self.tail.read()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def running_registry(
    cluster: Cluster, dsn: str, *, cut_off: bool = False, **parts: Any
) -> AsyncIterator[RegistryUnderTest]:
    """A replica over a migrated database and an existing topic; `cut_off`: its `kafka` is nobody's address.

    `parts`: other limits, resources and another route table than the product's, calls of a dispatcher that is not played.
    """
    settings = settings_for(cluster, dsn)
    pool = await connect(settings, "registry")
    try:
        replica = RegistryUnderTest(
            settings, Database("registry", pool), confirm_seconds=0.2 if cut_off else 5.0, **parts
        )
        async with replica.running(cut_off=cut_off):
            yield replica
    finally:
        await pool.close()


class Project:
    """Calls as the operator for one project, and expects a status."""

    def __init__(self, registry: RegistryUnderTest, id: str) -> None:
        self.registry, self.id = registry, id
        self.client = registry.as_token(ADMIN_TOKEN)

    async def send(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """The answer, whatever it is."""
        url = f"{path}{'&' if '?' in path else '?'}project={self.id}"
        answer = await self.client.request(method, url, json=body, **options)
        shown = answer.json() if answer.content else None
        DESCRIBED.check(method, path, answer.status_code, shown, answer.headers.get("content-type", ""))
        return answer

    async def call(self, method: str, path: str, body: Any = None, *, expect: int = 200, **options: Any) -> Any:
        """The decoded body. Fails with what was answered when the status is another one."""
        answer = await self.send(method, path, body, **options)
        assert answer.status_code == expect, answer.text
        return answer.json() if answer.content else None

    async def post(self, path: str, body: Any = None, *, expect: int = 201, **options: Any) -> Any:
        return await self.call("POST", path, body, expect=expect, **options)

    async def get(self, path: str, *, expect: int = 200) -> Any:
        return await self.call("GET", path, expect=expect)

    async def bot(self) -> str:
        return str((await self.post("/v1/bots", {"name": "A bot"}))["id"])

    async def http_channel(self, bot: str) -> str:
        return str((await self.post("/v1/channels", {"bot": bot, "type": "http"}))["id"])

    async def flow(self, bot: str, **changes: Any) -> str:
        body = {"bot": bot, "document": FLOW | changes}
        return str((await self.post("/v1/flows", body))["id"])

    async def published_flow(self, bot: str, **changes: Any) -> str:
        flow = await self.flow(bot, **changes)
        await self.post(f"/v1/flows/{flow}/publish", expect=200)
        return flow


async def new_project(registry: RegistryUnderTest, name: str = "Shop") -> Project:
    answer = await registry.client.post("/v1/projects", json={"name": name})
    assert answer.status_code == 201, answer.text
    return Project(registry, answer.json()["id"])


FLOW: dict[str, Any] = {
    "schema": "flow/1",
    "slug": "greeting",
    "name": "Greeting",
    "start": "hello",
    "triggers": [
        {"id": "start", "type": "command", "value": "/start", "to": "hello"},
        {"id": "bought", "type": "webhook", "accept": {"order_id": "string!", "count": "integer"}, "to": "hello"},
    ],
    "nodes": {"hello": {"type": "say", "parts": [{"text": "Hello"}]}},
}
