"""A dispatcher without Kafka and PostgreSQL: actions in, requests to an HTTP that the test plays, records out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from multidict import CIMultiDict

from contracts import actions, cloudevents
from contracts.actions import ActionBase, action_type
from dispatcher.assembly import Works, assemble
from dispatcher.intake.actions_handler import NAME, ActionsHandler
from dispatcher.intake.decoding import ActionDecoder, DayWindow
from dispatcher.kinds.table import DELIVERY_KINDS, Kinds
from dispatcher.model.catalogue import Catalogue
from dispatcher.model.delivery import SendContext
from dispatcher.sending import programs
from dispatcher.sending.programs import Programs
from servicekit.http_client.guarded_http import Answer, Unreachable
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.records import Outgoing, Record
from servicekit.loop.batches import Batch, DeadRecord
from support.deliveries_in_memory import DeliveriesInMemory
from support.delivering import Published
from support.dispatcher import settings_for
from support.workers_in_memory import WorkersInMemory

PARTITION = 0
NO_CONNECTION: Any = None


class PlayedHttp:
    """Answers by `answer(url, body)` -> (status, body), or an Answer; `requests` has what was asked, in order."""

    def __init__(self, answer: Callable[[str, bytes], tuple[int, bytes] | Answer]) -> None:
        self._answer = answer
        self.requests: list[tuple[str, str, bytes]] = []

    async def request(
        self, method: str, url: str, *, body: bytes | None, may_send: Callable[[], bool] | None = None, **_: Any
    ) -> Answer:
        if may_send is not None and not may_send():
            raise Unreachable("withdrawn", "withdrawn", sent=False)
        self.requests.append((method, url, body or b""))
        answer = self._answer(url, body or b"")
        return answer if isinstance(answer, Answer) else Answer(answer[0], CIMultiDict(), answer[1], 1)

    @property
    def urls(self) -> list[str]:
        return [url for _, url, _ in self.requests]


class DispatcherInMemory:
    """`take` has records applied as the partition loop does it; `published` is what Kafka would have got."""

    def __init__(self, works: Works, store: DeliveriesInMemory, published: Published, kinds: Kinds) -> None:
        self.works, self.store, self.published = works, store, published
        self.handler = ActionsHandler(store, works.takeover, DayWindow(30), ActionDecoder(kinds.values()))
        self.dead: list[DeadRecord] = []
        self._offset = 0

    async def act(self, *actions: ActionBase) -> None:
        """The same of actions as values."""
        await self.take([record_of(each) for each in actions])

    async def take(self, records: Sequence[Outgoing]) -> None:
        """Actions that the engine wrote."""
        arrived = [self._arrived(each) for each in records]
        commit = await self.handler.apply(Batch(arrived, {PARTITION: 1}))
        await commit.save(NO_CONNECTION)
        self.dead += commit.dead
        if commit.after is not None:
            commit.after()

    def _arrived(self, record: Outgoing) -> Record:
        self._offset += 1
        headers: Any = tuple(record.headers)
        return Record(record.topic, PARTITION, self._offset, 0, record.key, record.value, headers)


def record_of(action: ActionBase) -> Outgoing:
    """The record by which the engine asks for it."""
    headers = cloudevents.headers(
        id=action.id, type=action_type(type(action)).removeprefix(cloudevents.TYPE_PREFIX), source="test",
        time=action.created_at, project=action.project_id,
    )  # fmt: skip
    return Outgoing(actions.TOPIC.name, action.conversation.encode(), action.encode(), headers)


@asynccontextmanager
async def dispatcher_in_memory(
    http: PlayedHttp,
    view: Any,
    *,
    kinds: Kinds = DELIVERY_KINDS,
    keys: Any = None,
    store: DeliveriesInMemory | None = None,
) -> AsyncIterator[DispatcherInMemory]:
    """One that is at work, and owns the lanes of its partition. `store`: that of another replica."""
    settings = settings_for(Cluster("no-kafka:9092", ""), "postgresql://no-database/none")
    store, published, due = store or DeliveriesInMemory(kinds), Published(), asyncio.Event()
    context = SendContext(Catalogue(view, keys), programs.not_yet, 30.0)
    played = Programs(WorkersInMemory(lambda: programs.make(None)))
    works = assemble(settings, kinds, context, played, due, store, published, http)  # type: ignore[arg-type]  # played
    await works.takeover.take(NAME, [PARTITION], NO_CONNECTION)
    tasks = [asyncio.create_task(each.run()) for each in (works.pulse, works.recorder, works.claims)]
    try:
        yield DispatcherInMemory(works, store, published, kinds)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
