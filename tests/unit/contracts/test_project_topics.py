"""Names of a project's own topics, and what is copied of an event."""

from __future__ import annotations

import pytest

from contracts import cloudevents, project_topics
from contracts.project_topics import commands_topic, copied_headers, events_topic, groups_of, label_of, slug_of


def test_the_topics_of_commands_tell_whose_they_are_and_no_others_do() -> None:
    assert slug_of(commands_topic("my-shop-1").name) == "my-shop-1"
    others = ("switchhook.commands.v1", events_topic("shop").name, "switchhook.project.a.b.commands.v1", "x")
    assert [slug_of(name) for name in others] == [None] * 4


@pytest.mark.parametrize("other", ["shop-2", "shop2", "shopkeeper"])
def test_groups_of_a_project_are_no_beginning_of_anothers(other: str) -> None:
    assert not groups_of(other).startswith(groups_of("shop"))


def test_a_copy_has_the_headers_for_the_outside_and_no_others() -> None:
    outside = cloudevents.headers(id="1", type="tag.added", source="s", time="t", project="p", traceparent="00")
    inside = cloudevents.source_headers("switchhook.inbound.v1", 1, 2, 3)
    assert copied_headers([*inside, *outside, ("swh-registry-offset", b"7")]) == outside


def test_metrics_have_one_label_for_the_topics_of_all_projects() -> None:
    assert {label_of(events_topic(slug).name) for slug in ("a", "b")} == {f"{project_topics.PREFIX}*"}
    assert label_of("switchhook.events.v1") == "switchhook.events.v1"
