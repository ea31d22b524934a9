"""Giving a project topics of its own, where the operator's settings are not the registry's."""

from __future__ import annotations

from typing import Any

import pytest

from contracts import project_topics
from operations.commands.project_topics import PARTITIONS
from operations.errors import CommandError
from operations.layout import Layout
from operations.project_topics import give
from servicekit.kafka.cluster import Cluster


class Registry:
    """Of an installation whose topics have the prefix `blue.`."""

    async def get(self, _: str) -> Any:
        return {"slug": "shop"}

    async def post(self, _: str, __: Any) -> Any:
        name = "blue.switchhook.project.shop"
        return {"commands_topic": f"{name}.commands.v1", "events_topic": f"{name}.events.v1", "acls": []}


async def test_a_prefix_that_is_not_the_registrys_is_refused_before_anything_is_made() -> None:
    api: Any = Registry()
    with pytest.raises(CommandError, match="give SWITCHHOOK_TOPIC_PREFIX as it has it"):
        async for _ in give(api, Cluster("127.0.0.1:1", "green."), "p-1", [], 3, Layout()):
            pass


def test_the_verbs_number_of_partitions_is_that_of_contracts() -> None:
    assert PARTITIONS == project_topics.PARTITIONS
