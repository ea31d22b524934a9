"""What one run consists of beside the processes: servers, tenants, people, and all that happens to them."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson

from contracts import actions, dlq, events, findings, inbound, replies
from contracts.cloudevents import PROJECT, TYPE_PREFIX
from flow_engine.catalogue.links import LinkMaker
from servicekit.credentials.links import LinkKeys
from servicekit.kafka.inside_aiokafka.incarnations import TopicState
from servicekit.kafka.records import Record
from servicekit.loop.partition_loop import Fatal
from simulation.database import Database, Statements
from simulation.desk_registry import desk_entities
from simulation.kafka_clients import Kafka, SendQueue
from simulation.network import Network, Trace
from simulation.places import NOON, wall_clock
from simulation.programs import Pace
from simulation.receivers import Receivers
from simulation.tenants import entities
from simulation.virtual_loop import MACHINE, Machine, VirtualLoop
from simulation.walks import Walks
from support.conversations_in_memory import ConversationsInMemory
from support.deliveries_in_memory import DeliveriesInMemory
from support.log_in_memory import LogInMemory
from support.registry_in_memory import ViewInMemory

PARTITIONS = 3
REFUSAL = b"this project's programs have taken too long"
"""What `flow.failed` says where a run came to a program after its project had spent its allowance (ADR-0015)."""
OFTEN = 0.5
"""Programs that are slow in such a share of the turns may spend their project's allowance. Others are never refused for it."""
ORDINARY = Pace()
IN_A_TRANSACTION = ("in_txn", "broadcast_noted")
"""Failpoints that are passed within what is one step here."""
TOPICS = (inbound.TOPIC.name, actions.TOPIC.name, events.TOPIC.name, findings.TOPIC.name, replies.TOPIC.name)


class UnchangingView(ViewInMemory):
    """One for all runs, which would otherwise be kept by it as its listeners."""

    def on_change(self, listener: Callable[[str, str, Any], None]) -> None:
        """Nothing ever changes."""


VIEW = UnchangingView(*entities(), *desk_entities())
LINKS = LinkMaker(LinkKeys("k" * 32), "http://test")


class World:
    """Servers and what they keep. `chance` decides everything that the code itself does not."""

    def __init__(self, seed: int, *, pace: Pace = ORDINARY, write: Callable[[str], None] | None = None) -> None:
        """`pace`: of programs."""
        self.seed, self.pace, self.loop = seed, pace, VirtualLoop()
        self.trace = Trace(self.loop, write=write)
        self.network = Network(self.loop, random.Random(f"network {seed}"), self.trace)
        self.chance = random.Random(f"faults {seed}")
        self.view: Any = VIEW
        self.engine_database = Database("postgres of the engine", self.network)
        self.dispatcher_database = Database("postgres of the dispatcher", self.network)
        self.databases = (self.engine_database, self.dispatcher_database)
        self.conversations = ConversationsInMemory(now=self.now)
        self.deliveries = DeliveriesInMemory(now=self.now)
        self.log = LogInMemory(lambda: int(self._seconds() * 1000))
        for topic in TOPICS:
            self.log.create(topic, PARTITIONS)
        for service in ("flow-engine", "dispatcher"):
            self.log.create(dlq.topic_for(service).name, 1)
        self.log.on_append = self._appended
        self.kafka = Kafka(self.network, self.log)
        self.receivers = Receivers(self.network)
        self.machines: list[Machine] = []
        self.crashes: list[str] = []
        self.begun_early: list[str] = []
        """What machines.Watched says."""
        self.unanswered: set[str] = set()
        """Chats of which a call is gone."""
        self.held: list[tuple[Machine | None, bytes | None]] = []
        """Whose code has held a conversation, and of which project."""
        self.losable: defaultdict[str, set[int]] = defaultdict(set)
        """Chat -> which of its numbers may have no answer: their runs failed because the project's programs had taken too long,
        and said so; or they were taken over and not sent when the dispatcher's database was restored, and an operator said skip."""
        self.broadcasts = False
        """Engines that start now walk broadcasts: looking for them would be most of what goes on in a run without any."""
        self.bad_release = False
        """Engines that start now fail at every turn."""
        self.at_failpoint: Callable[[str], None] = lambda point: None

    def _seconds(self) -> float:
        """The servers' clocks are true."""
        return NOON + self.loop.time()

    def now(self) -> datetime:
        """The servers' time."""
        return datetime.fromtimestamp(self._seconds(), UTC)

    def _appended(self, record: Record) -> None:
        self.trace(f"{record.topic}/{record.partition}/{record.offset}")
        if self.pace.slow < OFTEN or record.topic != events.TOPIC.name or REFUSAL not in (record.value or b""):
            return
        if _type_of(record) == "flow.failed":
            data = orjson.loads(record.value or b"")["data"]
            self.losable[(record.key or b"").decode().rpartition("/")[2]].add(int(data["contact"]["last_message"]))

    def note_held(self, record: Record) -> None:
        """The process that runs holds a conversation by this record."""
        self.held.append((MACHINE.get(), dict(record.headers).get(PROJECT)))

    def bury(self) -> None:
        """The run is over: nobody answers any more, and everything ends."""
        self.network.over = True
        self.at_failpoint = lambda point: None
        self.loop.bury(self.machines)

    def crashed(self, name: str, error: BaseException | None) -> None:
        """A process ended by itself, and will be started again; that it says so is right for Fatal only."""
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if not isinstance(error, Fatal):
            self.crashes.append(f"{name}: {error!r}")
        self.trace(f"{name} ended with {type(error).__name__}")


def _type_of(record: Record) -> str:
    return (dict(record.headers)["ce_type"] or b"").decode().removeprefix(TYPE_PREFIX)


class Clients:
    """What places.simulated puts in the places of a run's clients and statements."""

    checkpoints = Statements
    send_queue = SendQueue

    def __init__(self, world: World) -> None:
        self._world = world
        self.make_consumer, self.make_producer = world.kafka.make_consumer, world.kafka.make_producer
        self.read_committed = world.kafka.read_committed
        self.walks = Walks(world.conversations.broadcasts)

    async def failpoint(self, point: str) -> None:
        """A machine may end or stop here, too. What lies in a transaction is one step (database.Session.commit)."""
        if point not in IN_A_TRANSACTION:
            before = self._world.trace.events
            self._world.at_failpoint(point)
            if self._world.trace.events != before:
                await asyncio.sleep(0)

    @staticmethod
    def collect(consumer: Any, patience_ms: int) -> None:
        """How long the broker collects makes no difference here."""

    @staticmethod
    async def topic_state(consumer: Any, topic: str) -> TopicState:
        state: TopicState = await consumer.topic_state(topic)
        return state

    @staticmethod
    async def ask_again(consumer: Any) -> None:
        """What a consumer knows of its topics is never old here."""

    @staticmethod
    def gather(consumer: Any, seconds: float) -> None:
        """Its fetches have everything that there is."""

    @staticmethod
    def fenced(consumer: Any) -> None:
        """No two machines have one name here."""

    @staticmethod
    async def is_fenced(consumer: Any, was: Any) -> bool:
        """No two machines have one name here."""
        return False

    @staticmethod
    def join_again(consumer: Any) -> None:
        """Who has no partition is right here."""

    @staticmethod
    def fetcher_ended(consumer: Any) -> bool:
        return False

    @staticmethod
    async def close(consumer: Any) -> None:
        await consumer.stop()


__all__ = ["Clients", "World", "wall_clock"]
