"""Programs of a project that has topics of its own, on FastStream's test broker."""

from __future__ import annotations

from typing import Any

import pytest
from faststream.kafka import KafkaBroker

from switchhook_sdk import CloudEvent, Switchhook
from switchhook_sdk.testing import played

ANN = {"channel_id": "c-1", "peer_id": "104117781"}


async def test_a_program_works_on_the_projects_own_topics_and_in_its_groups() -> None:
    switchhook, seen = Switchhook(KafkaBroker(), own_topics="shop", group="crm", topic_prefix="blue."), list[str]()
    shop = switchhook.commands("swh_secret", source="shop")

    @switchhook.events("contact.created")
    async def created(event: CloudEvent[Any]) -> None:
        seen.append(event.id)

    assert switchhook.events_topic == "blue.switchhook.project.shop.events.v1"
    assert switchhook.commands_topic == "blue.switchhook.project.shop.commands.v1"
    subscribers: Any = switchhook.broker.subscribers
    assert {each.group_id for each in subscribers} == {"blue.switchhook.project.shop.crm", None}
    assert {topic for each in subscribers for topic in each.topic_names} == {switchhook.events_topic}
    async with played(switchhook) as installation:
        assert seen == [await installation.emit("contact.created")]
        told = await shop.start(bot="b-1", person=ANN, flow="order", id="order-17", wait=5)
    assert (told.status, len(installation.commands)) == ("started", 1)


def test_outcomes_of_the_topic_of_all_are_known_by_the_project() -> None:
    with pytest.raises(ValueError, match="project: it is needed"):
        Switchhook(KafkaBroker()).commands("swh_secret", source="shop")
