"""Batches of commands: what one waits for delays no other."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import orjson
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from prometheus_client import REGISTRY

from contracts import commands
from contracts.project_topics import PREFIX, commands_topic
from contracts.registry import Bot, Channel, Project
from contracts.replies import RunReply
from ingress.commands import verdicts
from ingress.commands.bridge import Bridge, Taken, told
from ingress.commands.project_bridge import ProjectBridge
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.publisher import NotAcknowledged
from servicekit.kafka.records import Record
from support.ingress_fakes import BOT, CHANNEL, PROJECT, SECRET
from support.waiting import eventually

PERSON = {"peer_id": "5", "channel_id": CHANNEL}
START: dict[str, Any] = {
    "kind": "start", "bot": BOT, "person": PERSON, "flow": "reserve", "entry": "bought", "variables": {"order_id": "7"}
}  # fmt: skip
PATCH: dict[str, Any] = {"kind": "contact_update", "bot": BOT, "person": PERSON, "add_tags": ["vip"]}
SIGNAL: dict[str, Any] = {"kind": "signal", "bot": BOT, "person": PERSON, "name": "paid"}
MAKE: dict[str, Any] = {"kind": "contact_create", "bot": BOT, "profile": {"external_id": "c-1"}, "tags": ["vip"]}


class Commands:
    """A bridge over a rig, and its commands."""

    def __init__(self, rig: Any) -> None:
        self.rig, self._offset = rig, 0
        self.token = "a" * 32
        """The operator's."""
        made = rig.ingress
        self.bridge = Bridge(Cluster("no-kafka:9092", ""), "a", 6, made.commands, made.intake, rig.publisher)

    def record(self, command: dict[str, Any], id: str) -> Record:
        self._offset += 1
        headers = (("ce_id", id.encode()), ("authorization", f"Bearer {self.token}".encode()))
        return Record(commands.TOPIC.name, 0, self._offset, 0, b"k", orjson.dumps(command), headers)

    async def apply(self, *given: tuple[str, dict[str, Any]]) -> list[asyncio.Task[None]]:
        async with asyncio.timeout(15):
            return await self.bridge.apply([self.record(command, id) for id, command in given])

    def outcomes(self) -> dict[str, str]:
        """Command id -> its status, or the problem's type."""
        accepted = {each["command"]["id"]: each["status"] for each in self.rig.events("command.accepted")}
        rejected = {each["command"]["id"]: each["problem"]["type"] for each in self.rig.events("command.rejected")}
        return accepted | rejected

    def verdict(self, number: int, status: Any, **more: Any) -> None:
        future = self.rig.asker.futures[f"r{number}"]
        future.set_result(RunReply(instance="i", request_id=f"r{number}", event_id="e", status=status, **more))


@pytest.fixture
async def given(rig):
    made = Commands(rig)
    yield made
    await made.bridge._verdicts.stop()


async def test_a_start_on_which_the_engine_says_nothing_delays_no_other_command(given):
    (held,) = await given.apply(("held", START), ("signal", SIGNAL))
    assert (given.outcomes(), held.done()) == ({"signal": "accepted"}, False)
    (other,) = await given.apply(("other", START))
    given.verdict(1, "started")
    await other
    assert (given.outcomes(), held.done()) == ({"signal": "accepted", "other": "started"}, False)
    given.verdict(0, "started")
    await held
    assert given.outcomes()["held"] == "started"
    assert [each["kind"] for each in given.rig.inbound] == ["start", "signal", "start"]


class Consumer:
    """Gives these batches, and then nothing."""

    _coordinator = None

    def __init__(self, *batches: list[Record]) -> None:
        self._batches = deque(batches)

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Record]]:
        if not self._batches:
            await asyncio.Event().wait()
        return {TopicPartition("commands", 0): self._batches.popleft()}


class Committing(Consumer):
    """One that has partition 0, whose first `failures` commits fail, and that gives nothing after its batches."""

    def __init__(self, *batches: dict[TopicPartition, list[Record]], failures: int = 0) -> None:
        super().__init__()
        self._given, self._failures, self.committed = deque(batches), failures, dict[TopicPartition, int]()

    def assignment(self) -> set[TopicPartition]:
        return {FIRST}

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Record]]:
        await asyncio.sleep(0)
        return self._given.popleft() if self._given else {}

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        if not offsets.keys() <= self.assignment():
            raise IllegalStateError("not assigned")
        self._failures -= 1
        if self._failures >= 0:
            raise KafkaError("the coordinator has moved")
        self.committed |= offsets


FIRST, SECOND = TopicPartition("commands", 0), TopicPartition("commands", 1)


async def consumed(given: Commands, consumer: Committing) -> None:
    consuming = asyncio.create_task(given.bridge._consume(consumer))
    try:
        await eventually(lambda: consumer.committed == {FIRST: 2})
    finally:
        consuming.cancel()
        await asyncio.gather(consuming, return_exceptions=True)


async def test_what_kafka_did_not_commit_is_committed_although_no_command_follows(given):
    await consumed(given, Committing({FIRST: [given.record(SIGNAL, "one")]}, failures=1))


async def test_a_partition_that_is_anothers_by_now_holds_up_the_commit_of_no_other(given):
    await consumed(given, Committing({FIRST: [given.record(SIGNAL, "one")], SECOND: [given.record(SIGNAL, "two")]}))


async def test_the_next_batch_is_taken_while_a_start_is_waited_for(given):
    batches = [given.record(START, "held")], [given.record(SIGNAL, "signal")]
    consuming = asyncio.create_task(given.bridge._consume(Consumer(*batches)))
    await eventually(lambda: given.outcomes() == {"signal": "accepted"})
    consuming.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consuming


async def test_what_is_said_in_a_paused_channel_is_refused(given):
    paused = Channel(id="http-1", project_id=PROJECT, bot_id=BOT, type="http", name="api", state="paused")
    given.rig.view.put("channel", paused)
    await given.apply(("said", {"kind": "say", "bot": BOT, "person": {"peer_id": "5"}, "text": "hi"}))
    assert (given.outcomes(), given.rig.inbound) == ({"said": "channel-paused"}, [])


async def test_no_word_in_time_is_told_as_accepted(given, monkeypatch):
    monkeypatch.setattr(verdicts, "VERDICT_SECONDS", 0.01)
    (held,) = await given.apply(("held", START))
    await held
    assert given.outcomes() == {"held": "accepted"}


async def test_offsets_wait_for_what_is_told_later_in_the_order_of_their_batches(given):
    first, second = TopicPartition("commands", 0), TopicPartition("commands", 1)
    held = await given.apply(("held", START))
    taken = deque([Taken({first: 5}, held), Taken({first: 7, second: 3}, [])])
    assert told(taken) == {}
    given.verdict(0, "started")
    await asyncio.gather(*held)
    assert (told(taken), list(taken)) == ({first: 7, second: 3}, [])


async def test_a_project_with_too_many_starts_that_wait_is_told_at_once_and_another_is_not(given, monkeypatch):
    monkeypatch.setattr(verdicts, "WAITING_PER_PROJECT", 2)
    view = given.rig.view
    view.put("project", Project(id="project-2", name="Other", slug="other", signing_secret=SECRET))
    view.put("bot", Bot(id="bot-2", project_id="project-2", name="Other"))
    view.put("channel", Channel(id="channel-2", project_id="project-2", bot_id="bot-2", type="telegram", name="tg"))
    flow = view.get("flow", "flow-1")
    version = view.get("flow_version", "flow-1/2")
    view.put("flow", flow.model_copy(update={"id": "flow-2", "project_id": "project-2", "bot_id": "bot-2"}))
    moved = {"flow_id": "flow-2", "project_id": "project-2", "bot_id": "bot-2"}
    view.put("flow_version", version.model_copy(update=moved))
    for number in range(3):
        await given.apply((f"mine-{number}", START))
    theirs = START | {"bot": "bot-2", "person": {"peer_id": "5", "channel_id": "channel-2"}}
    waits = await given.apply(("theirs", theirs))
    assert (given.outcomes(), len(waits)) == ({"mine-2": "accepted"}, 1)
    assert [future.done() for future in given.rig.asker.futures.values()] == [False, False, True, False]


async def test_commands_for_what_nobody_knows_are_looked_for_together(given):
    unknown = [(f"c{number}", START | {"bot": f"bot-{number}x"}) for number in range(50)]
    given.token = given.rig.token
    await given.apply(*unknown)
    assert set(given.outcomes().values()) == {"not-found"}
    assert given.rig.view.catch_ups <= 2


async def test_a_batch_that_kafka_does_not_take_leaves_no_question_behind(given):
    given.rig.publisher.down = True
    with pytest.raises(NotAcknowledged):
        await given.apply(("one", START), ("two", START))
    assert all(future.done() for future in given.rig.asker.futures.values())


async def test_an_outcome_that_kafka_does_not_take_is_told_again(given, monkeypatch):
    monkeypatch.setattr(verdicts, "RETRY_SECONDS", 0.001)
    (late,) = await given.apply(("one", START))
    given.rig.publisher.down = True
    given.verdict(0, "started")
    await asyncio.sleep(0)
    given.rig.publisher.down = False
    await eventually(late.done)
    assert given.outcomes() == {"one": "started"}


async def test_a_command_without_an_id_is_told_to_whose_token_it_has(given):
    given.token = given.rig.token
    await given.apply(("", START))
    assert given.outcomes() == {"": "bad-header"}


async def test_dead_letters_of_all_projects_topics_are_counted_as_those_of_one(given):
    """The number of projects has no bound."""
    made = given.rig.ingress
    parts = Cluster("no-kafka:9092", ""), "a", 6, made.commands, made.intake, given.rig.publisher, given.rig.view
    record = given.record(START, "c1")._replace(topic=commands_topic("nobodys").name)
    await ProjectBridge(*parts).apply([record])
    counted = [
        sample.labels["topic"]
        for metric in REGISTRY.collect()
        if metric.name == "switchhook_dead_letters"
        for sample in metric.samples
        if sample.labels["topic"].startswith(PREFIX)
    ]
    assert set(counted) == {f"{PREFIX}*"}


async def test_what_is_wrong_with_a_command_is_pointed_at_in_the_command(given):
    given.token = given.rig.token
    await given.apply(("one", START | {"flow": 7}), ("two", START | {"person": {"peer_id": "5", "unknown": 1}}))
    problems = [event["problem"] for event in given.rig.events("command.rejected")]
    assert problems[0]["errors"] == [{"pointer": "#/flow", "detail": "it has to be a text"}]


@pytest.mark.parametrize(
    "person",
    [
        {"contact_id": "x" * 500_000},
        {"external_id": "x" * 500_000},
        {"email": "a\0@example.com"},
        {"peer_id": "x" * 500_000},
        {"peer_id": "5", "channel_id": "x" * 500_000},
        {"peer_id": "a/b", "channel_id": CHANNEL},
    ],
)
async def test_what_names_a_person_is_as_short_in_a_command_as_over_http(given, person):
    await given.apply(("endless", START | {"person": person}), ("signal", SIGNAL))
    assert [each["kind"] for each in given.rig.inbound] == ["signal"]
    (dead,) = given.rig.publisher.of("switchhook.ingress.dlq.v1")
    assert dict(dead.headers)["dlq-error-code"] == b"invalid"


async def test_the_engine_judges_writes_of_contacts_and_tells_whose(given):
    made, refused = await given.apply(("make", MAKE), ("patch", PATCH))
    given.verdict(0, "completed", contact_id="c-17")
    problem = {"type": "contact-not-found", "title": "No", "status": 404, "detail": "d"}
    given.verdict(1, "rejected", problem=problem)
    await asyncio.gather(made, refused)
    assert given.outcomes() == {"make": "accepted", "patch": "contact-not-found"}
    assert given.rig.events("command.accepted")[0]["contact_id"] == "c-17"
    record = given.rig.inbound[0]
    assert (record["create"], record["profile"], record["add_tags"]) == (True, {"external_id": "c-1"}, ["vip"])


@pytest.mark.parametrize(
    "profile", [{"photo": "javascript:alert(1)"}, {"phone": "0170"}, {"timezone": "Riga"}, {"timezone": "localtime"}]
)
async def test_who_cannot_be_made_over_http_is_not_made_over_kafka(given, profile):
    judged = await given.rig.ingress.commands.judge(given.record(MAKE | {"profile": profile}, "make"))
    assert judged.problem.type_slug == "invalid"


async def test_two_contacts_are_made_one_by_a_command(given):
    other = "0198f0c2-6f5e-7a51-8a2e-0d8f8c9b1a02"
    person = {"external_id": "c-1"}
    await given.apply(("merge", {"kind": "contact_merge", "bot": BOT, "person": person, "contact": other}))
    (record,) = given.rig.inbound
    assert (record["merge"], record["person"]) == (other, person)
