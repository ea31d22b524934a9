"""Commands on FastStream's test broker: what is sent, what is refused before, and how the outcome comes back."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError, TopicAuthorizationFailedError
from faststream.kafka import KafkaBroker
from pydantic import ValidationError

from contracts.commands import CreateContact, MergeContacts, Say, SendSignal, Start, UpdateContact
from switchhook_sdk import Commands, Outcome, OutcomeUnknown, Person, Switchhook
from switchhook_sdk.testing import SOME_PROJECT, played

ANN = {"channel_id": "c-1", "peer_id": "104117781"}


def program() -> tuple[Switchhook, Commands]:
    switchhook = Switchhook(KafkaBroker(), project=SOME_PROJECT)
    return switchhook, switchhook.commands("swh_secret", source="shop")


async def test_each_kind_is_sent_as_its_record() -> None:
    switchhook, commands = program()
    async with played(switchhook) as installation:
        await commands.start(bot="b-1", person=ANN, flow="order", entry="paid", variables={"order_id": "A-77"})
        await commands.say(bot="b-1", person=Person(external_id="17"), text="Hello")
        await commands.update(bot="b-1", person=ANN, profile={"city": "Bonn"}, add_tags=["vip"])
        await commands.signal(bot="b-1", person=ANN, name="paid", data={"sum": 5})
        await commands.create(bot="b-1", profile={"external_id": "17"}, tags=["vip"])
        await commands.merge(bot="b-1", person={"external_id": "17"}, contact=SOME_PROJECT)
    ann = Person(**ANN)
    assert installation.commands == [
        Start(bot="b-1", person=ann, flow="order", entry="paid", variables={"order_id": "A-77"}),
        Say(bot="b-1", person=Person(external_id="17"), text="Hello"),
        UpdateContact.model_validate({"bot": "b-1", "person": ann, "profile": {"city": "Bonn"}, "add_tags": ["vip"]}),
        SendSignal(bot="b-1", person=ann, name="paid", data={"sum": 5}),
        CreateContact.model_validate({"bot": "b-1", "profile": {"external_id": "17"}, "tags": ["vip"]}),
        MergeContacts.model_validate({"bot": "b-1", "person": {"external_id": "17"}, "contact": SOME_PROJECT}),
    ]


async def test_the_outcome_is_waited_for_by_the_commands_id() -> None:
    switchhook, commands = program()
    async with played(switchhook) as installation:
        started = await commands.start(bot="b-1", person=ANN, flow="order", id="order-17", wait=5)
        told = await commands.signal(bot="b-1", person=ANN, name="paid", wait=5)
        installation.problem = {"type": "peer-not-reachable", "status": 409, "reason": "has-not-talked"}
        refused = await commands.start(bot="b-1", person=ANN, flow="order", id="order-18", wait=5)
    assert started == Outcome("order-17", "started")
    assert told.status == "accepted"
    assert (refused.id, refused.status) == ("order-18", "rejected")
    assert refused.problem is not None
    assert (refused.problem.type, refused.problem.reason) == ("peer-not-reachable", "has-not-talked")


async def test_an_id_is_made_and_returned_where_none_is_given() -> None:
    switchhook, commands = program()
    async with played(switchhook):
        sent = await commands.start(bot="b-1", person=ANN, flow="order")
    assert (sent.status, len(sent.id)) == ("sent", 36)


async def test_the_outcome_of_another_project_under_the_same_id_is_not_ours() -> None:
    switchhook, commands = program()
    other = Switchhook(switchhook.broker, project="0198f0c2-6f5e-7a51-8a2e-0d8f8c9b1e06")
    async with played(other):
        with pytest.raises(OutcomeUnknown) as unknown:
            await commands.start(bot="b-1", person=ANN, flow="order", id="order-17", wait=0.05)
    assert str(unknown.value) == (
        "nothing was told within 0.05 s: whether the command 'order-17' is done is not known. "
        "Send the same command with id='order-17' again, it is done once."
    )


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"person": {"peer_id": "1", "email": "a@b.example"}}, "give exactly one of contact_id, peer_id"),
        ({"flow": None}, "flow"),
        ({"id": ""}, "^id: "),
        ({"id": "x" * 256}, "^id: "),
    ],
    ids=["two names", "no flow", "an empty id", "a long id"],
)
async def test_what_is_no_command_is_refused_before_it_is_sent(wrong: dict[str, Any], named: str) -> None:
    switchhook, commands = program()
    async with played(switchhook) as installation:
        with pytest.raises(ValueError, match=named):
            await commands.start(**{"bot": "b-1", "person": ANN, "flow": "order"} | wrong)
    assert installation.commands == []
    assert issubclass(ValidationError, ValueError)


class Publisher:
    """Fails as Kafka does."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def publish(self, value: bytes, **more: Any) -> None:
        raise self.error


async def test_what_kafka_did_not_acknowledge_is_unknown_and_what_it_refused_is_its_error() -> None:
    unacknowledged = Commands(Publisher(KafkaTimeoutError()), "swh_secret", "shop", None)
    with pytest.raises(OutcomeUnknown, match=r"Kafka did not acknowledge it \(KafkaTimeoutError\): whether"):
        await unacknowledged.say(bot="b-1", person=ANN, text="Hello", id="1")
    refused = Commands(Publisher(TopicAuthorizationFailedError()), "swh_secret", "shop", None)
    with pytest.raises(TopicAuthorizationFailedError):
        await refused.say(bot="b-1", person=ANN, text="Hello", id="1")


async def test_waiting_needs_a_project_and_somebody_who_reads() -> None:
    with pytest.raises(ValueError, match=r"^project: "):
        Switchhook(KafkaBroker()).commands("swh_secret", source="shop")
    blind = Switchhook(KafkaBroker()).commands("swh_secret", source="shop", outcomes=False)
    with pytest.raises(ValueError, match=r"^wait: "):
        await blind.say(bot="b-1", person=ANN, text="Hello", wait=1)
