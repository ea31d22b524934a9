"""The engine's HTTP over an EngineWorld and PostgreSQL: what it writes to Kafka is applied at once, and answered."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, Literal

import asyncpg
import httpx
from pydantic import SecretStr

from contracts.inbound import ReplyTo
from contracts.registry import Token
from contracts.replies import ReplyAdapter
from flow_engine.segments import walker
from flow_engine.segments.members import Segments, segment_of
from flow_engine.web.inbox_stream import Streams
from flow_engine.web.routes import make_app
from flow_engine.web.writing import Writes
from servicekit.credentials.tokens import generate_token
from servicekit.kafka.publisher import NotAcknowledged
from servicekit.kafka.records import Outgoing
from servicekit.registry_view.stamps import Stamp
from servicekit.web.auth import Authoriser
from servicekit.web.requests import Inflated
from support.engine_database import PSEUDONYMS
from support.engine_world import PROJECT, EngineWorld
from support.workers_in_memory import WorkersInMemory

OPERATOR = "operator-token-of-at-least-32-characters"


class KafkaOfWorld:
    """servicekit.kafka's publisher and asker. `is_down`: nothing is taken; `is_slow`: nothing is applied."""

    def __init__(self, world: EngineWorld) -> None:
        self._world = world
        self.is_down = self.is_slow = False
        self.ready, self.stamp = True, Stamp(0, None)
        self._futures: dict[str, asyncio.Future[Any]] = {}
        self._engine = asyncio.Lock()
        """One engine applies what several callers have laid."""

    def ask(self, until: Literal["verdict", "rest"] = "rest") -> tuple[ReplyTo, asyncio.Future[Any]]:
        """An address, and the reply to come."""
        id = f"r{len(self._futures)}"
        self._futures[id] = asyncio.get_running_loop().create_future()
        return ReplyTo(instance="engine-1", partition=0, request_id=id, until=until), self._futures[id]

    async def publish(self, record: Outgoing) -> int:
        """Have it applied, and what the engine says told to who asked."""
        if self.is_down:
            raise NotAcknowledged("down")
        self._world.lay(record.value, (record.key or b"").decode(), record.headers)
        if self.is_slow:
            for future in self._futures.values():
                if not future.done():
                    future.set_exception(TimeoutError())
            return 0
        async with self._engine:
            await self._world.settle()
        for reply in self._world.out("replies"):
            future = self._futures[(reply.key or b"").decode()]
            if not future.done():
                future.set_result(ReplyAdapter.validate_json(reply.value or b""))
        return 0


def token(
    world: EngineWorld, id: str, *scopes: str, project: str = PROJECT, agent: str | None = None
) -> dict[str, str]:
    """The headers of a caller with a token of these scopes, which may be an agent's."""
    text, _, sha256 = generate_token()
    known = {"id": id, "project_id": project, "name": id, "sha256": sha256, "scopes": scopes, "agent_id": agent}
    world.view.put(Token.model_validate(known))
    return {"authorization": f"Bearer {text}"}


@contextlib.asynccontextmanager
async def data_api(
    world: EngineWorld, pool: asyncpg.Pool[asyncpg.Record], kafka: KafkaOfWorld
) -> AsyncIterator[httpx.AsyncClient]:
    """A client that may read and write the data of the world's project."""
    writer: Any = kafka
    deps: Any = SimpleNamespace(
        authoriser=Authoriser(world.view, SecretStr(OPERATOR)),
        store=world.store,
        pool=pool,
        trigger=lambda id: None,
        bot=lambda id: world.view.get("bot", id),
        bots=lambda project: world.view.all("bot", project),
        segment=lambda project, name: segment_of(world.view, project, name),
        segments=Segments(WorkersInMemory(lambda: walker.ask)),
        streams=Streams(),
        agent=lambda id: world.view.get("agent", id),
        tokens_of=lambda id: world.view.find_all("token", "agent", id),
        project=lambda id: world.view.get("project", id),
        pseudonyms=PSEUDONYMS,
        channel=lambda id: world.view.get("channel", id),
        flows_of=world.catalogue.flows_of,
        writes=Writes(writer, writer, writer),
    )
    transport = httpx.ASGITransport(Inflated(make_app(deps)), client=("203.0.113.7", 1))
    headers = token(world, "data", "data:read", "data:write", "admin")
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
        yield client
