"""The engine's handler over a store, driven record by record as the partition loop drives it, without Kafka."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import uuid4

import orjson

from contracts import actions, dlq, events, inbound, replies
from contracts.cloudevents import TYPE_PREFIX
from contracts.cloudevents import headers as ce_headers
from contracts.registry import ApiCall, Bot, Channel, Flow, FlowVersion
from flow_engine.batch.handler import EngineHandler
from flow_engine.batch.loading import LoadedBatch
from flow_engine.batch.timers import Save, Timers
from flow_engine.batch.waking import Waking
from flow_engine.catalogue.links import LinkMaker
from flow_engine.catalogue.registry_catalogue import RegistryCatalogue
from flow_engine.programs.deferring import PATIENCE, Deferring
from flow_engine.programs.stepping import Stepping
from flow_engine.programs.worker import StepWorker
from flow_engine.state.ids import conversation_id
from flow_engine.store.port import ConversationStore, LoggedEvent, StoredConversation
from flow_engine.turn.event import Arrived
from flow_engine.turn.turns import Turns
from flowlang.model import Contact, RunCode
from flowtools.sandbox import MakeUrl, RunsCode, Sandbox
from servicekit.credentials.links import LinkKeys
from servicekit.kafka.records import Outgoing, Record, dead_letter
from servicekit.loop.batches import Batch, Commit
from support.registry_in_memory import ViewInMemory
from support.workers_in_memory import WorkersInMemory

PROJECT, BOT, WEB, TELEGRAM, FLOW = "project-1", "bot-1", "web-1", "tg-1", "flow-1"
AT = "2026-11-21T00:01:00.000Z"
SERVICE, PARTITION = "flow-engine", 0
TRIES = 3
"""Times that the loop tries a record that fails alone."""


def flow_version(document: dict[str, Any], *, version: int = 1, flow: str = FLOW) -> FlowVersion:
    return FlowVersion(flow_id=flow, project_id=PROJECT, bot_id=BOT, version=version, document=document)


def flow(slug: str, *, published: int | None = 1, id: str = FLOW) -> Flow:
    return Flow(id=id, project_id=PROJECT, bot_id=BOT, slug=slug, name=slug, published=published)


ENTITIES: tuple[Any, ...] = (
    Bot(id=BOT, project_id=PROJECT, name="Conference"),
    Channel(id=WEB, project_id=PROJECT, bot_id=BOT, type="webchat", name="Site"),
    Channel(id=TELEGRAM, project_id=PROJECT, bot_id=BOT, type="telegram", name="Telegram"),
    ApiCall(id="api-1", project_id=PROJECT, name="seats-left", method="POST", url="https://api.example.com/seats"),
)


def published(*documents: dict[str, Any]) -> list[Any]:
    """These flows as flow-1, flow-2 …, each with its published version."""
    made: list[Any] = []
    for number, document in enumerate(documents, 1):
        id = f"flow-{number}"
        made += [flow_version(document, flow=id), flow(document["slug"], id=id)]
    return made


def inbound_record(
    kind: str, peer: str, *, channel: str, id: str, **fields: Any
) -> tuple[str, bytes, list[tuple[str, bytes]]]:
    """(the key it usually has, value, headers) of an inbound record."""
    body = {
        "kind": kind,
        "project_id": PROJECT,
        "bot_id": BOT,
        "channel_id": channel,
        "channel_type": {WEB: "webchat", TELEGRAM: "telegram"}.get(channel),
        "peer_id": peer,
        "received_at": AT,
        **fields,
    }
    about = ce_headers(id=id, type=f"inbound.{kind}", source="test", time=AT, project=PROJECT)
    return f"{BOT}/{channel}/{peer}", orjson.dumps(body), about


class BuggyHandler(EngineHandler):
    """`bugs` maps an event id to the exception that its record causes; `turn_bugs` to that of its turn."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.bugs: dict[bytes, Exception] = {}
        self.turn_bugs: dict[str, Exception] = {}

    async def _turn(self, arrived: Arrived, batch: LoadedBatch, turns: Turns, *, here: bool) -> bool:
        if arrived.event_id in self.turn_bugs:
            raise self.turn_bugs[arrived.event_id]
        return await super()._turn(arrived, batch, turns, here=here)

    async def apply(self, batch: Batch) -> Commit:
        for record in batch.records:
            bug = self.bugs.get(dict(record.headers).get("ce_id") or b"")
            if bug is not None:
                raise bug
        return await super().apply(batch)


class ScriptedSandbox:
    """Answers every run of a code node with the same result; `ran` are the runs."""

    def __init__(self, **result: Any) -> None:
        self.result = {"ok": True, "value": None, "sent": [], "runs": [], "error": None, **result}
        self.ran: list[RunCode] = []

    async def run(self, code: RunCode, make_url: MakeUrl) -> dict[str, Any]:
        self.ran.append(code)
        return {**self.result, "wait": code.wait}


PATIENT_SECONDS = 1.0
"""Of a run of code where a test is about something else: its machine may have more to do than its cores can."""


class LazySandbox:
    """The real sandbox, whose processes start with the first run: few tests have code nodes."""

    def __init__(self) -> None:
        self._processes = contextlib.AsyncExitStack()
        self._sandbox: Sandbox | None = None

    async def run(self, code: RunCode, make_url: MakeUrl) -> dict[str, Any]:
        if self._sandbox is None:
            self._sandbox = await self._processes.enter_async_context(Sandbox(1, seconds=PATIENT_SECONDS))
        return await self._sandbox.run(code, make_url)

    async def close(self) -> None:
        await self._processes.aclose()


class EngineWorld:
    """An engine whose records are applied when the test says so, and what it wrote.

    Records that it writes to inbound come back to it; `out` has all that it wrote, by topic.
    """

    topic = inbound.TOPIC.name

    def __init__(
        self,
        store: ConversationStore,
        transaction: Callable[[], AbstractAsyncContextManager[Any]],
        view: ViewInMemory,
        sandbox: RunsCode,
    ) -> None:
        """`transaction` gives what the store's methods take as their connection."""
        self.store, self.transaction, self.view = store, transaction, view
        links = LinkMaker(LinkKeys("k" * 32), "http://test")
        self.catalogue = RegistryCatalogue(view, links)  # type: ignore[arg-type]
        self.sandbox = sandbox
        self.patience = PATIENCE
        self.workers: Any = WorkersInMemory(lambda: StepWorker(links))
        self.restart(compute_budget=10)
        self.timers = Timers(self, store)
        self.assigned = {PARTITION}
        self.waiting: list[Record] = []
        self.written: dict[str, list[Outgoing]] = {}
        self.batches: list[int] = []
        """How many records each batch applied."""
        self.at_ms = int(time.time() * 1000) - 60_000
        """The records' time: a minute ago, so that what waits a second is due at once."""
        self._offset = 0

    # --- in

    def put(
        self,
        kind: str,
        peer: str = "p1",
        *,
        channel: str = WEB,
        id: str | None = None,
        key: str | None = None,
        **fields: Any,
    ) -> str:
        """Lay down an inbound record; its event id."""
        event_id = id or str(uuid4())
        usual, value, about = inbound_record(kind, peer, channel=channel, id=event_id, **fields)
        self.lay(value, key or usual, about)
        return event_id

    def lay(self, value: bytes | None, key: str, headers: list[tuple[str, bytes]]) -> None:
        """Lay down anything."""
        self._offset += 1
        record = Record(self.topic, PARTITION, self._offset, self.at_ms, key.encode(), value, tuple(headers))
        self.waiting.append(record)

    async def send(self, kind: str, peer: str = "p1", **fields: Any) -> str:
        """Lay down a record and have it applied."""
        event_id = self.put(kind, peer, **fields)
        await self.settle()
        return event_id

    async def say(self, text: str, peer: str = "p1", **more: Any) -> str:
        """A person's message."""
        return await self.send("message", peer, message_id=str(uuid4()), text=text, **more)

    def restart(self, *, compute_budget: float) -> None:
        """Another handler, with a budget of so many seconds a batch."""
        self.deferring = Deferring(Stepping(self.sandbox, self.workers), patience=self.patience)
        self.waking = Waking(self, self.deferring)
        self.handler = BuggyHandler(self.store, self.catalogue, self.deferring, compute_budget=compute_budget)

    async def settle(self) -> None:
        """Apply all that waits, in batches of whatever is there, until nothing more comes."""
        await self.apply()
        while not self.deferring.is_idle:
            await self.waking.wake(await self.deferring.to_wake())
            await self.apply()

    async def apply(self) -> None:
        """Apply what has come, and leave what is deferred as it is."""
        while self.waiting:
            records = list(self.waiting)
            try:
                applied = await self._apply(records)
            except Exception:  # noqa: BLE001 - the loop tries the records one by one, whatever it was
                applied = await self._alone(records[0])
            del self.waiting[:applied]

    async def compute(self) -> Commit:
        """What the waiting records come to, which is not saved."""
        return await self.handler.apply(Batch(list(self.waiting), {PARTITION: 1}))

    async def _apply(self, records: list[Record]) -> int:
        commit = await self.handler.apply(Batch(records, {PARTITION: 1}))
        async with self.transaction() as connection:
            await commit.save(connection)
        for _, made in commit.outgoing:
            self._write(made)
        self._write([dead_letter(SERVICE, *dead) for dead in commit.dead])
        applied = len(records) if commit.applied is None else commit.applied
        self.batches.append(applied)
        return applied

    async def _alone(self, record: Record) -> int:
        for _ in range(TRIES):
            try:
                return await self._apply([record])
            except Exception as error:  # noqa: BLE001 - parked with it
                failed = error
        async with self.transaction() as connection:
            self._write(await self.handler.park(record, failed, connection))
        self._write([dead_letter(SERVICE, record, "failed", repr(failed))])
        return 1

    def lag(self) -> dict[int, int]:
        """As the loop: what waits to be applied."""
        return {PARTITION: len(self.waiting)}

    def waited(self) -> float:
        """As the loop: nothing waits for long."""
        return 0.0

    async def transact(self, partition: int, save: Save) -> bool:
        """As the loop: what timers ask for."""
        async with self.transaction() as connection:
            made = await save(connection)
        self._write(made)
        return True

    def _write(self, records: list[Outgoing]) -> None:
        for record in records:
            self.written.setdefault(record.topic, []).append(record)
            if record.topic == self.topic:
                self.lay(record.value, (record.key or b"").decode(), record.headers)

    # --- out

    def out(self, name: str) -> list[Outgoing]:
        """All that was written to inbound, actions, events, replies or the dead-letter topic (dlq)."""
        topics = {"dlq": dlq.topic_for(SERVICE), "inbound": inbound.TOPIC, "actions": actions.TOPIC,
                  "events": events.TOPIC, "replies": replies.TOPIC}  # fmt: skip
        return self.written.get(topics[name].name, [])

    def bodies(self, name: str) -> list[dict[str, Any]]:
        """The same, as JSON."""
        return [orjson.loads(record.value or b"null") for record in self.out(name)]

    def events(self, type: str) -> list[dict[str, Any]]:
        """The data of all events of a type."""
        wanted = (TYPE_PREFIX + type).encode()
        return [
            orjson.loads(record.value or b"{}")["data"]
            for record in self.out("events")
            if dict(record.headers)["ce_type"] == wanted
        ]

    def dead(self) -> list[str]:
        """The codes of all dead letters."""
        return [dict(record.headers)[dlq.ERROR_CODE].decode() for record in self.out("dlq")]

    async def stored(self, peer: str = "p1", channel: str = WEB) -> StoredConversation:
        """A conversation as it is kept."""
        key = f"{BOT}/{channel}/{peer}"
        async with self.store.reading() as reads:
            return (await reads.conversations([key]))[key]

    async def contact(self, peer: str = "p1", channel: str = WEB) -> Contact:
        """The person of a conversation, as kept."""
        found = (await self.stored(peer, channel)).contact
        assert found is not None
        return found

    async def said(self, peer: str = "p1", channel: str = WEB) -> list[str]:
        """The bot's messages of a conversation, out of the chat log."""
        async with self.store.reading() as reads:
            messages = await reads.backlog(conversation_id(f"{BOT}/{channel}/{peer}"), 0)
        return [message["content"]["text"] for message in messages]

    async def held(self, peer: str = "p1") -> int:
        """How many events of a conversation wait."""
        id = conversation_id(f"{BOT}/{WEB}/{peer}")
        async with self.store.reading() as reads:
            return (await reads.held_counts([id])).get(id, 0)

    async def logged(self, event_id: str) -> LoggedEvent:
        """What the event log says of an event."""
        found = await self.store.event(event_id)
        assert found is not None
        return found
