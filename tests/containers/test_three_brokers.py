"""Three brokers, as docs/how-to/deploy.md has them: one is away, and the story comes out as it should."""

from __future__ import annotations

import pytest

from containers.composed import composed
from containers.page import commands
from containers.telling import storyteller


@pytest.mark.usefixtures("installation")
async def test_the_story_does_with_two_of_three_brokers(tmp_path_factory: pytest.TempPathFactory) -> None:
    with composed(tmp_path_factory.mktemp("three"), "switchhook-three") as place:
        place.env |= {"EDGE_SUBNET": "10.77.78.0/24", "KAFKA_HEAP": "-Xms256m -Xmx256m"}
        place.sh("./make-secrets.sh")
        place.sh(commands("Three brokers"))
        place.compose("stop kafka-3")
        async with storyteller(place) as story:
            await story.tell()
