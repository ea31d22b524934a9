"""Commands of other programs, from commands.v1 to inbound."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from bench.chaos.bad_records import RawName, produce_raw

from contracts import commands, dlq, events, inbound
from contracts.ids import derived_id
from contracts.registry import Bot
from support.ingress_fakes import BOT, CHANNEL, FLOW, PROJECT
from support.ingress_kafka import ingress_on, put_token
from support.waiting import eventually

INBOUND, EVENTS, DLQ = inbound.TOPIC.name, events.TOPIC.name, dlq.topic_for("ingress").name
PERSON = {"peer_id": "5", "channel_id": CHANNEL}
START = {
    "kind": "start",
    "bot": BOT,
    "person": PERSON,
    "flow": "reserve",
    "entry": "bought",
    "variables": {"order_id": "7"},
}


class Integrator:
    """Another program's producer, one partition so that the order is known."""

    def __init__(self, topics, token):
        self._topics, self._token = topics, token
        self._producer = AIOKafkaProducer(bootstrap_servers=topics.cluster.servers, max_request_size=4 * 1024 * 1024)

    async def send(self, command, *, id="c1", token=None, headers=None):
        await (await self.begin(command, id=id, token=token, headers=headers))

    async def begin(self, command, *, id="c1", token=None, headers=None):
        """Its place in the log is taken; when Kafka has it, the future says."""
        made = [("ce_id", id.encode()), ("authorization", f"Bearer {token or self._token}".encode())]
        value = command if isinstance(command, bytes) or command is None else orjson.dumps(command)
        topic = self._topics.name(commands.TOPIC.name)
        return await self._producer.send(
            topic, value, key=b"k", headers=made if headers is None else headers, partition=0
        )


@pytest.fixture
async def integrator(topics, shop) -> AsyncIterator[Integrator]:
    made = Integrator(topics, shop.token)
    await made._producer.start()
    yield made
    await made._producer.stop()


@pytest.fixture
async def bridge(topics, shop):
    async with ingress_on(topics, bridge=True) as running:
        yield running


async def outcomes(topics, count):
    await topics.arrived(EVENTS, count)
    return [(value["type"], value["data"]) for value in topics.values(EVENTS)]


async def test_a_start_is_judged_by_the_engine_and_its_outcome_told(topics, integrator, bridge):
    topics.reply = lambda _: {"status": "started"}
    await integrator.send(START)
    ((type, data),) = await outcomes(topics, 1)
    event_id = derived_id("command", PROJECT, "c1")
    assert (type, data["status"], data["event_id"]) == ("command.accepted", "started", event_id)
    assert data["command"] == {"kind": "start", "id": "c1"}
    (start,) = topics.values(INBOUND)
    assert (start["source"], start["flow_id"], start["entry"], start["peer_id"]) == ("command", FLOW, "bought", "5")
    assert dict(topics.of(INBOUND)[0].headers)["ce_id"].decode() == event_id
    assert dict(topics.of(EVENTS)[0].headers)["ce_project"] == PROJECT.encode()


async def test_what_the_engine_refuses_is_rejected_with_its_problem(topics, integrator, bridge):
    problem = {"type": "peer-not-reachable", "title": "No", "status": 409, "detail": "d", "reason": "blocked"}
    topics.reply = lambda _: {"status": "rejected", "problem": problem}
    await integrator.send(START)
    ((type, data),) = await outcomes(topics, 1)
    assert (type, data["problem"]["reason"]) == ("command.rejected", "blocked")


async def test_other_kinds_are_accepted_once_kafka_has_them(topics, shop, integrator, bridge):
    topics.reply = lambda _: {"status": "started"}
    all_of_them = (await put_token(topics, scopes=("bots:converse", "data:write", "flows:execute"))).text
    person = {"peer_id": "5"}
    await integrator.send({"kind": "say", "bot": BOT, "person": person, "text": "hi"}, id="1", token=all_of_them)
    update = {"kind": "contact_update", "bot": BOT, "person": {"email": "a@b.c"}, "add_tags": ["vip"]}
    await integrator.send(update, id="2", token=all_of_them)
    signal = {"kind": "signal", "bot": BOT, "person": {"contact_id": "c"}, "name": "paid", "data": {"sum": 5}}
    await integrator.send(signal, id="3", token=all_of_them)
    assert [type for type, _ in await outcomes(topics, 3)] == ["command.accepted"] * 3
    await topics.arrived(INBOUND, 3)
    by_kind = {
        value["kind"]: (record.key.decode(), value)
        for record, value in zip(topics.of(INBOUND), topics.values(INBOUND), strict=True)
    }
    assert by_kind["message"][0] == f"{BOT}/http-1/5"
    assert (by_kind["contact_update"][0], by_kind["contact_update"][1]["add_tags"]) == (f"{BOT}/-/email:a@b.c", ["vip"])
    assert (by_kind["signal"][0], by_kind["signal"][1]["data"]) == (f"{BOT}/-/contact_id:c", {"sum": 5})


@pytest.mark.parametrize(
    ("command", "slug"),
    [
        (START | {"flow": "nothing"}, "not-found"),
        (START | {"entry": "nothing"}, "trigger-unpublished"),
        (START | {"variables": {}}, "variables-wrong"),
        ({"kind": "say", "bot": BOT, "person": PERSON, "text": "hi"}, "scope-missing"),
    ],
)
async def test_what_http_would_refuse_is_rejected(topics, integrator, bridge, command, slug):
    await integrator.send(command)
    ((type, data),) = await outcomes(topics, 1)
    assert (type, data["problem"]["type"], data["command"]["id"]) == ("command.rejected", slug, "c1")
    assert topics.values(INBOUND) == []


async def test_another_projects_bot_is_rejected_and_parked(topics, integrator, bridge):
    await topics.registry.put(Bot(id="bot-2", project_id="project-2", name="Theirs"))
    await integrator.send(START | {"bot": "bot-2"})
    ((type, data),) = await outcomes(topics, 1)
    assert (type, data["problem"]["type"], data["problem"]["status"]) == ("command.rejected", "not-found", 404)
    assert dict(topics.of(EVENTS)[0].headers)["ce_project"] == PROJECT.encode()
    await eventually(lambda: topics.of(DLQ))


@pytest.mark.parametrize(
    ("value", "headers", "code"),
    [
        (b"{not json", None, "not-json"),
        (None, None, "not-json"),
        (b'{"kind": "dance", "bot": "b", "person": {"peer_id": "5"}}', None, "wrong-schema"),
        (b'{"pad": "' + b"x" * 1_500_000 + b'"}', None, "too-large"),
        (b"{}", [("ce_id", b"c1"), ("authorization", None)], "bad-header"),
        (b"{}", [("ce_id", b"c1"), ("authorization", b"\xff\xfe")], "bad-header"),
        (b"{}", [], "bad-header"),
        (b"{}", [("ce_id", b"c1")], "unauthorized"),
        (b"{}", [("ce_id", b"c1"), ("authorization", b"Bearer nonsense")], "unauthorized"),
    ],
)
async def test_poison_is_parked_with_its_reason_and_what_follows_goes_on(
    topics, integrator, bridge, value, headers, code
):
    topics.reply = lambda _: {"status": "started"}
    await integrator.send(value, headers=headers)
    await integrator.send(START, id="c2")
    await eventually(lambda: topics.events("command.accepted"))
    await eventually(lambda: topics.of(DLQ))
    dead = topics.of(DLQ)[0]
    assert dict(dead.headers)["dlq-error-code"] == code.encode()
    assert "authorization" not in dict(dead.headers)
    assert dead.value == value
    known = code not in ("bad-header", "unauthorized")
    await eventually(lambda: len(topics.events("command.rejected")) == known)


async def test_a_known_token_that_is_no_longer_good_is_told_so(topics, integrator, bridge):
    expired = (await put_token(topics, expires_at="2020-01-01T00:00:00Z")).text
    bound = (await put_token(topics, allowed_cidrs=("203.0.113.0/24",))).text
    await integrator.send(START, id="1", token=expired)
    await integrator.send(START, id="2", token=bound)
    await eventually(lambda: len(topics.events("command.rejected")) == 2)
    told = {data["command"]["id"]: data["problem"]["status"] for data in topics.events("command.rejected")}
    assert told == {"1": 401, "2": 403}


async def test_a_command_that_comes_again_has_the_same_event_id(topics, integrator, bridge):
    topics.reply = lambda _: {"status": "started"}
    await integrator.send(START)
    await integrator.send(START)
    await topics.arrived(EVENTS, 2)
    assert len({dict(record.headers)["ce_id"] for record in topics.of(INBOUND)}) == 1
    assert len({dict(record.headers)["ce_id"] for record in topics.of(EVENTS)}) == 1


async def test_commands_sent_while_no_replica_lives_are_taken_by_the_next_one(topics, shop, integrator):
    topics.reply = lambda _: {"status": "started"}
    async with ingress_on(topics, bridge=True):
        await integrator.send(START, id="1")
        await topics.arrived(EVENTS, 1)
    await integrator.send(START, id="2")
    async with ingress_on(topics, bridge=True):
        await eventually(lambda: len(topics.events("command.accepted")) >= 2)
    assert [data["command"]["id"] for data in topics.events("command.accepted")][-1] == "2"


async def test_commands_of_one_partition_stay_in_order(topics, integrator, bridge):
    topics.reply = lambda _: {"status": "started"}
    await asyncio.gather(*[await integrator.begin(START, id=f"{number:03d}") for number in range(40)])
    await eventually(lambda: len(topics.events("command.accepted")) == 40)
    ids = {derived_id("command", PROJECT, f"{number:03d}"): number for number in range(40)}
    order = [ids[dict(record.headers)["ce_id"].decode()] for record in topics.of(INBOUND)]
    assert order == sorted(order)


async def test_a_poisonous_command_ends_nobodys_producer(topics, integrator, bridge, shop):
    """1.5 MiB of 0xFF as a header's name are 6 MiB when they are written out, which no topic takes."""
    name = RawName(b"\xff" * (3 << 19))
    await produce_raw(topics.cluster.servers, topics.name(commands.TOPIC.name), [(b"k", b"{}", [(name, b"1")])])
    topics.reply = lambda _: {"status": "started"}
    await integrator.send(START)
    ((type, _),) = await outcomes(topics, 1)
    assert type == "command.accepted"
    await topics.arrived(DLQ, 1)
    (letter,) = topics.of(DLQ)
    assert (letter.value, dict(letter.headers)[dlq.ERROR_CODE]) == (b"{}", b"bad-header")


async def test_of_two_replicas_with_one_name_the_later_one_takes_commands_and_the_other_one_says_why_not(
    topics, shop, integrator, bridge
):
    await integrator.send(START, id="before")
    await topics.arrived(INBOUND, 1)
    async with ingress_on(topics, bridge=True) as later:
        await eventually(lambda: bridge.problem() is not None, seconds=20)
        assert bridge.problem() == (
            "switchhook.commands.v1: another process runs as instance a: give each replica its own SWITCHHOOK_INSTANCE"
        )
        for number in range(3):
            await integrator.send(START, id=f"c{number}")
            await topics.arrived(INBOUND, 2 + number)
        assert later.problem() is None
