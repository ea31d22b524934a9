"""Handlers of events, on FastStream's test broker: what they get, what they never see, and what comes again."""

from __future__ import annotations

from typing import Any

import pytest
from faststream.kafka import KafkaBroker, KafkaRouter, TestKafkaBroker

from contracts.events import TOPIC
from switchhook_sdk import CloudEvent, Switchhook, data, once
from switchhook_sdk.testing import SOME_PROJECT, played

OTHER_PROJECT = "0198f0c2-6f5e-7a51-8a2e-0d8f8c9b1e06"


def program(**options: Any) -> Switchhook:
    return Switchhook(KafkaBroker(), **{"project": SOME_PROJECT, "group": "crm", **options})


async def test_a_handler_gets_the_data_as_the_model_of_its_type() -> None:
    switchhook, seen = program(), list[CloudEvent[data.MessageReceivedData]]()

    @switchhook.events("message.received")
    async def received(event: CloudEvent[data.MessageReceivedData]) -> None:
        seen.append(event)

    async with played(switchhook) as installation:
        await installation.emit("message.received", {"bot": {"id": "b-1"}, "conversation_id": "c-1"}, id="e-1")
    (event,) = seen
    assert (event.id, event.type, event.project, event.bot, event.conversation) == (
        "e-1", "message.received", SOME_PROJECT, "b-1", "c-1",
    )  # fmt: skip
    assert (event.data.message.text, event.source, event.time.utcoffset() is not None) == (
        "Hello",
        "switchhook/test",
        True,
    )


@pytest.mark.parametrize(
    ("names", "seen"),
    [
        (["message.sent", "message.failed"], ["message.sent", "message.failed"]),
        (["tag.*"], ["tag.added"]),
        (["*"], ["message.sent", "message.failed", "tag.added"]),
    ],
    ids=["two types", "a group", "all"],
)
async def test_a_handler_may_have_several_types(names: list[str], seen: list[str]) -> None:
    switchhook, told = program(), list[str]()

    @switchhook.events(*names)
    async def handler(event: CloudEvent[Any]) -> None:
        told.append(event.type)

    async with played(switchhook) as installation:
        for type in ("message.sent", "message.failed", "tag.added"):
            await installation.emit(type)
    assert told == seen


async def test_each_handler_of_a_type_is_called_and_those_of_other_projects_are_not() -> None:
    switchhook, told = program(), list[str]()

    @switchhook.events("contact.created")
    async def first(event: CloudEvent[data.EventData]) -> None:
        told.append("first")

    @switchhook.events("contact.*")
    async def second(event: CloudEvent[data.EventData]) -> None:
        told.append("second")

    @switchhook.events("contact.created", project=OTHER_PROJECT)
    async def of_another(event: CloudEvent[data.EventData]) -> None:
        told.append("of another")

    async with played(switchhook) as installation:
        await installation.emit("contact.created")
    assert told == ["first", "second"]


def test_a_type_that_there_is_not_is_refused_where_it_is_declared() -> None:
    with pytest.raises(ValueError, match=r"there is no type of event 'message.recieved'; there are: bot.subscribed, "):
        program().events("message.recieved")(lambda event: None)  # type: ignore[arg-type,return-value]


def test_a_handler_of_another_types_model_is_refused_where_it_is_declared() -> None:
    async def handler(event: CloudEvent[data.MessageReceivedData]) -> None: ...

    with pytest.raises(TypeError, match=r"the data of message.sent is MessageSentData, and the handler takes MessageR"):
        program().events("message.*")(handler)


def test_a_group_is_needed_to_read() -> None:
    async def handler(event: CloudEvent[Any]) -> None: ...

    with pytest.raises(ValueError, match=r"^group: it is needed"):
        Switchhook(KafkaBroker()).events("*")(handler)


BROKEN = {
    "no type": ({"ce_type": None}, b"{}", "the header ce_type is missing"),
    "a later type": ({"ce_type": "dev.switchhook.moon.landed"}, b"{}", "does not know the type 'dev.switchhook.moon"),
    "somebody else's type": ({"ce_type": "message.received"}, b"{}", "does not know the type 'message.received'"),
    "no project": ({"ce_project": None}, b"{}", "the header ce_project is missing"),
    "no json": ({}, b"{", "it is no event: ValueError"),
    "no value": ({}, b"", "it is no event: ValueError"),
    "no object": ({}, b"[]", "the data of message.received is not as contracts has it"),
    "no data": ({}, b"{}", "it is no event: KeyError"),
    "no message": ({}, b'{"data": {}}', "not as contracts has it: message: the field 'message' is needed"),
    "no time": ({"ce_time": "soon"}, b'{"data": {"message": {"id": "1", "type": "text"}}}', "it is no event"),
}
HEADERS = {
    "ce_id": "e-1", "ce_type": "dev.switchhook.message.received", "ce_source": "switchhook/flow-engine",
    "ce_time": "2026-11-21T00:01:00.000Z", "ce_project": SOME_PROJECT,
}  # fmt: skip


@pytest.mark.parametrize(("headers", "value", "reason"), BROKEN.values(), ids=BROKEN)
async def test_what_cannot_be_read_is_given_to_the_hook_and_stops_nothing(
    headers: dict[str, str | None], value: bytes, reason: str
) -> None:
    skipped, seen = list[str](), list[str]()

    async def on_unreadable(record: Any, why: str) -> None:
        skipped.append(why)

    switchhook = program(on_unreadable=on_unreadable)

    @switchhook.events("message.received")
    async def received(event: CloudEvent[data.MessageReceivedData]) -> None:
        seen.append(event.id)

    async with played(switchhook) as installation:
        given = {name: text for name, text in (HEADERS | headers).items() if text is not None}
        await switchhook.broker.publish(value, TOPIC.name, headers=given)
        await installation.emit("message.received", id="e-2")
    assert [reason in why for why in skipped] == [True], skipped
    assert seen == ["e-2"]


async def test_without_a_hook_the_log_says_what_was_skipped(caplog: pytest.LogCaptureFixture) -> None:
    switchhook = program()

    @switchhook.events("message.received")
    async def received(event: CloudEvent[data.MessageReceivedData]) -> None: ...

    async with played(switchhook):
        later = HEADERS | {"ce_type": "dev.switchhook.moon.landed"}
        for headers in (HEADERS, later, later):
            await switchhook.broker.publish(b"{", TOPIC.name, headers=headers)
    assert [message.partition(": ")[2] for message in caplog.messages] == [
        "it is no event: ValueError",
        "this release of switchhook-sdk does not know the type 'dev.switchhook.moon.landed'",
    ]


async def test_what_a_handler_raises_comes_to_the_test() -> None:
    switchhook = program()

    @switchhook.events("message.received")
    async def received(event: CloudEvent[data.MessageReceivedData]) -> None:
        raise ConnectionError("the CRM is away")

    async with played(switchhook) as installation:
        with pytest.raises(ConnectionError, match="the CRM is away"):
            await installation.emit("message.received")


async def test_a_repeat_is_left_out_by_its_id() -> None:
    switchhook, handled, kept = program(), list[str](), set[str]()

    class Store:
        async def has(self, id: str) -> bool:
            return id in kept

        async def add(self, id: str) -> None:
            kept.add(id)

    @switchhook.events("message.received")
    @once(Store())
    async def received(event: CloudEvent[data.MessageReceivedData]) -> None:
        handled.append(event.id)

    async with played(switchhook) as installation:
        for id in ("e-1", "e-2", "e-1"):
            await installation.emit("message.received", id=id)
    assert handled == ["e-1", "e-2"]


async def test_it_declares_on_a_router_and_under_a_prefix_too() -> None:
    router, broker, seen = KafkaRouter(), KafkaBroker(), list[str]()
    switchhook = Switchhook(router, group="crm", topic_prefix="eu.")

    @switchhook.events("message.received")
    async def received(event: CloudEvent[data.MessageReceivedData]) -> None:
        seen.append(event.id)

    broker.include_router(router)
    async with played(switchhook, broker) as installation:
        await installation.emit("message.received", id="e-1")
    assert seen == ["e-1"]
    assert [topic.name for each in broker.subscribers for topic in each.topics if each.group_id] == [  # type: ignore[attr-defined]
        "eu.switchhook.events.v1"
    ]


async def test_it_runs_under_faststreams_own_test_broker() -> None:
    broker, seen = KafkaBroker(), list[str]()
    switchhook = Switchhook(broker, group="crm")

    @switchhook.events("message.received")
    async def received(event: CloudEvent[data.MessageReceivedData]) -> None:
        seen.append(event.data.message.id)

    async with TestKafkaBroker(broker):
        value = {"data": {"message": {"id": "17", "type": "text"}}}
        await broker.publish(value, TOPIC.name, headers=HEADERS)
    assert seen == ["17"]
