"""Kafka and aiokafka, by the suite that holds the simulation's log to them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from servicekit.kafka.clients import make_consumer
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.publisher import KafkaPublisher
from support.log_suite import CHECKS, PARTITIONS, Broker, checked
from support.stack import SESSION_SECONDS


class InKafka:
    def __init__(self, kafka: str, topic: str, publisher: KafkaPublisher) -> None:
        self._cluster, self.topic, self.publisher = Cluster(kafka), topic, publisher

    def make_consumer(self, instance: str) -> Any:
        return make_consumer(
            self._cluster, client_id=instance, group=self.topic, instance=instance, session_timeout=SESSION_SECONDS
        )


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_kafka(
    check: Callable[[Broker], Awaitable[None]],
    kafka: str,
    publisher: KafkaPublisher,
    make_topic: Callable[..., Awaitable[str]],
) -> None:
    await checked(check, InKafka(kafka, await make_topic("in", partitions=PARTITIONS), publisher))
