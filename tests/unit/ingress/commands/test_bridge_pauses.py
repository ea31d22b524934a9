"""How long the bridge stays away from its group before it comes back."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import KafkaError

from ingress.commands import bridge
from servicekit.kafka.cluster import Cluster

SESSION = 6.0


def made() -> bridge.Bridge:
    unused = cast("Any", None)
    return bridge.Bridge(Cluster("127.0.0.1:1"), "a", SESSION, unused, unused, unused)


async def test_a_member_without_partitions_stays_away_until_kafka_has_forgotten_it() -> None:
    """Seen: the topic was made anew, and Kafka gave the bridge what it had had without it, nothing, again and again."""
    with pytest.raises(bridge.Unassigned) as nothing:
        await made()._check_alive(cast("Any", SimpleNamespace(assignment=frozenset)))
    assert made()._pause_after(nothing.value) > SESSION


@pytest.mark.parametrize("error", [bridge.Stuck("partition 3"), KafkaError(), TimeoutError()])
def test_after_anything_else_it_comes_back_at_once(error: Exception) -> None:
    assert made()._pause_after(error) == bridge.RETRY_SECONDS
