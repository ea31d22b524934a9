"""What a group has committed: how far its service was, kept in Kafka, where a restored database does not reach.

Beside the offset stands what it is about: the log's incarnation, and a number that the service's database had reached.
Commits of releases that wrote neither say nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from aiokafka import TopicPartition

from servicekit.kafka.clients import admin_of, make_consumer
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.undisturbed import undisturbed

ANSWER_SECONDS = 15.0


class Committed(NamedTuple):
    """Of one partition: the next offset to apply, in the log of that incarnation, when the database had that number."""

    offset: int
    incarnation: str
    number: int = 0

    @property
    def metadata(self) -> str:
        """What stands beside the offset in Kafka."""
        return f"{self.incarnation} {self.number}"


def committed_of(offset: int, metadata: str) -> Committed | None:
    """What a commit says; None for one that somebody else wrote, or a release that did not say what it is about."""
    incarnation, _, number = metadata.partition(" ")
    if offset < 0 or not incarnation or not number.isdecimal():
        return None
    return Committed(offset, incarnation, int(number))


async def _offsets(cluster: Cluster, group: str) -> dict[Any, Any]:
    async with admin_of(cluster, request_timeout=10.0) as admin:
        found: dict[Any, Any] = await admin.list_consumer_group_offsets(cluster.named(group))
        return found


async def read_committed(cluster: Cluster, group: str, topic: str) -> dict[int, Committed]:
    """Partition -> what the group has committed. Raises KafkaError, OSError, TimeoutError.

    Who does not want to know it any more lets it end by itself: a client that is cancelled while it connects loses a socket.
    """
    found = await undisturbed(_offsets(cluster, group), ANSWER_SECONDS)
    name = cluster.named(topic)
    said = {tp.partition: committed_of(at.offset, at.metadata) for tp, at in found.items() if tp.topic == name}
    return {part: each for part, each in said.items() if each is not None}


async def write_committed(cluster: Cluster, group: str, topic: str, positions: Mapping[int, Committed]) -> None:
    """Commit for a group that has no members now. Raises KafkaError: CommitFailedError while it has."""
    consumer = make_consumer(cluster, client_id="switchhook-operator", group=group)
    try:
        await consumer.start()
        name = cluster.named(topic)
        consumer.assign([TopicPartition(name, part) for part in positions])
        await consumer.commit(
            {TopicPartition(name, part): (each.offset, each.metadata) for part, each in positions.items()}
        )
    finally:
        await consumer.stop()
