"""Which retired flow versions the registry is told to forget."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from contracts import findings
from contracts.cloudevents import header
from flow_engine.batch import retiring
from flow_engine.batch.retiring import Retiring
from flow_engine.catalogue.links import LinkMaker
from flow_engine.catalogue.registry_catalogue import RegistryCatalogue
from flow_engine.state.work import Work
from flowlang.model import Conversation, Session
from servicekit.kafka.records import Outgoing
from servicekit.loop.batches import Infrastructure
from support.conversation_store_suite import conversation, work_of
from support.conversations_in_memory import ConversationsInMemory
from support.engine_flows import LECTURE
from support.engine_world import BOT, ENTITIES, PROJECT, WEB, flow, flow_version
from support.registry_in_memory import ViewInMemory

AT = "2026-11-21T00:01:00.000Z"
CONVERSATION = Conversation(f"{BOT}/{WEB}/p1", PROJECT, BOT, WEB, "webchat", "p1", "")


class Loop:
    """Holds these partitions."""

    topic = "inbound"

    def __init__(self, *assigned: int) -> None:
        self.assigned = set(assigned)


class Written:
    """What is published."""

    def __init__(self) -> None:
        self.records: list[Outgoing] = []

    async def publish_many(self, records: list[Outgoing]) -> None:
        self.records += records


@pytest.fixture
def view() -> ViewInMemory:
    """Five versions, of which two are retired; and one of a flow that is deleted."""
    versions = [flow_version(LECTURE, version=number) for number in range(1, 6)]
    alive = flow("lecture", published=5).model_copy(update={"retired": 2})
    return ViewInMemory(*ENTITIES, alive, *versions, flow_version(LECTURE, flow="deleted", version=7))


async def store_with(*stand: tuple[str, int]) -> ConversationsInMemory:
    store = ConversationsInMemory()
    for number, (flow_id, version) in enumerate(stand):
        work: Work = work_of(conversation(str(number), session=Session(flow_id, version, "e", "e", AT, AT)))
        await store.save(work, None)
    return store


def retiring_on(
    view: ViewInMemory, store: ConversationsInMemory, *assigned: int
) -> tuple[Retiring, RegistryCatalogue, Written]:
    catalogue = RegistryCatalogue(view, LinkMaker(None, "http://test"))  # type: ignore[arg-type]
    loop: Any = Loop(*assigned)
    written: Any = Written()
    return Retiring(loop, store, catalogue, written), catalogue, written


async def test_what_nobody_stands_on_is_told(view: ViewInMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retiring, "AT_ONCE", 1)
    store = await store_with(("flow-1", 4), ("flow-1", 2))
    look, _, written = retiring_on(view, store, 0, 1)
    assert await look.look() == ["deleted/7", "flow-1/1"]
    assert store.retired_through == {"flow-1": (1, 2), "deleted": (1, 7)}
    [told, _] = written.records
    assert (told.topic, header(told.headers, "ce_type")) == (
        findings.TOPIC.name,
        "dev.switchhook.flow_version.unused",
    )
    assert orjson.loads(told.value or b"")["data"] == {"flow_version": {"id": "deleted/7"}}


async def test_one_engine_tells(view: ViewInMemory) -> None:
    look, _, written = retiring_on(view, await store_with(), 1, 2)
    assert await look.look() == []
    assert written.records == []


async def test_a_view_that_is_behind_starts_nobody_on_a_retired_version(view: ViewInMemory) -> None:
    """The batch waits until the view has what the registry said; a registry that was restored since may know better."""
    store = await store_with()
    look, catalogue, _ = retiring_on(view, store, 0)
    assert catalogue.around(CONVERSATION).flows.current("flow-1").version == 5
    await look.look()
    view.put(flow("lecture", published=2))
    catalogue.retire(await store.retired(None))
    with pytest.raises(Infrastructure, match="version 2 of flow flow-1 is retired"):
        catalogue.around(CONVERSATION)
    view.generation = 2
    assert catalogue.around(CONVERSATION).flows.current("flow-1").version == 2
    view.generation = 1
    view.put(flow("lecture", published=5))
    assert catalogue.around(CONVERSATION).flows.current("flow-1").version == 5
