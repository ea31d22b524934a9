"""What `topics plan` says, from what a cluster has and what is meant."""

from __future__ import annotations

import pytest

from contracts import commands, findings, inbound
from contracts.topic import Topic
from operations.layout import Layout
from operations.topic_plan import Difference, Found, differences, settings_of

THREE = Layout(replicas=3, min_insync=2)


def as_meant(topic: Topic, layout: Layout = THREE, replicas: int = 3, **more: str) -> Found:
    settings = {
        **settings_of(topic, layout, replicas),
        **{name.replace("_", "."): value for name, value in more.items()},
    }
    return Found(topic.partitions, replicas, settings, own=settings)


def said_of(topic: Topic, found: Found | None, layout: Layout = THREE) -> list[Difference]:
    return differences({"blue." + topic.name: topic}, {} if found is None else {"blue." + topic.name: found}, layout)


@pytest.mark.parametrize("topic", [inbound.TOPIC, findings.TOPIC, commands.TOPIC])
def test_nothing_is_said_of_a_topic_that_is_as_it_is_meant(topic: Topic) -> None:
    assert said_of(topic, as_meant(topic)) == []


def test_a_missing_topic_is_made_as_the_layout_says() -> None:
    (said,) = said_of(inbound.TOPIC, None, Layout(3, 2, partitions=24))
    assert said.verb == "create"
    assert said.line == (
        "blue.switchhook.inbound.v1 does not exist:"
        " `topics create` makes it: 24 partitions, replicas: 3, min.insync.replicas=2"
    )


@pytest.mark.parametrize(
    ("setting", "value", "verb"),
    [
        ("compression_type", "producer", "alter"),
        ("retention_ms", "3600000", "alter"),
        ("retention_ms", str(30 * 86_400_000), "alter --force"),
        ("retention_ms", "-1", "alter --force"),
        ("max_message_bytes", "1048576", "alter"),
        ("max_message_bytes", "20971520", "alter --force"),
    ],
)
def test_a_setting_that_differs_is_altered_and_more_than_is_meant_only_by_force(
    setting: str, value: str, verb: str
) -> None:
    (said,) = said_of(inbound.TOPIC, as_meant(inbound.TOPIC, **{setting: value}))
    assert (said.what, said.found, said.verb) == (setting.replace("_", "."), value, verb)


def test_more_by_the_brokers_defaults_is_nobodys_purpose() -> None:
    found = as_meant(inbound.TOPIC, retention_ms="-1")
    (said,) = said_of(inbound.TOPIC, Found(found.partitions, found.replicas, found.settings, own={}))
    assert said.verb == "alter"


def test_no_more_replicas_are_asked_for_each_record_than_a_topic_has() -> None:
    found = as_meant(inbound.TOPIC, Layout(1, 1), replicas=1)
    (said,) = said_of(inbound.TOPIC, found)
    assert (said.what, said.found, said.meant, said.verb) == ("replicas", "1", "3", "none")
    assert "kafka-reassign-partitions.sh" in said.line


def test_more_partitions_of_a_keyed_topic_are_grown_and_fewer_cannot_be() -> None:
    (fewer,) = said_of(inbound.TOPIC, as_meant(inbound.TOPIC), Layout(3, 2, partitions=24))
    (more,) = said_of(inbound.TOPIC, as_meant(inbound.TOPIC), Layout(3, 2, partitions=6))
    assert (fewer.found, fewer.meant, fewer.verb) == ("12", "24", "grow")
    assert more.verb == "none"
    assert "SWITCHHOOK_TOPIC_PARTITIONS" in more.line


def test_a_layouts_partitions_are_those_of_the_keyed_topics_alone() -> None:
    assert said_of(findings.TOPIC, as_meant(findings.TOPIC), Layout(3, 2, partitions=24)) == []
