"""What Kafka refuses to store is told, with the topic, the error and what to do, until a write to it succeeds."""

from __future__ import annotations

import pytest
from aiokafka.errors import (
    BrokerResponseError,
    KafkaConnectionError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    NotLeaderForPartitionError,
    PolicyViolationError,
    TopicAuthorizationFailedError,
)

from servicekit.kafka.refused_writes import QUIET_SECONDS, RefusedWrites

TOPIC = "blue.switchhook.actions.v1"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def writes(clock: Clock) -> RefusedWrites:
    return RefusedWrites(clock)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (MessageSizeTooLargeError(), "give the topic max.message.bytes=4194304, and the brokers no smaller one"),
        (TopicAuthorizationFailedError(TOPIC), "allow the user of SWITCHHOOK_KAFKA_USER to write to it"),
        (PolicyViolationError(), "look into the log of the broker and at the settings of the topic"),
    ],
)
def test_a_refusal_names_the_topic_the_error_and_what_to_do(
    writes: RefusedWrites, error: BrokerResponseError, advice: str
) -> None:
    writes.failed(TOPIC, error, 2000)
    said = str(writes.problem())
    assert said.startswith(f"Kafka refuses what is written to the topic {TOPIC} since ")
    assert f"({type(error).__name__}): {advice}" in said
    writes.taken("another", 5000)
    assert writes.problem() == said
    writes.taken(TOPIC, 2000)
    assert writes.problem() is None


def test_a_dead_letter_topic_is_given_its_own_size(writes: RefusedWrites) -> None:
    writes.failed("switchhook.flow-engine.dlq.v1", MessageSizeTooLargeError(), 5000)
    assert "max.message.bytes=5242880" in str(writes.problem())


@pytest.mark.parametrize("error", [None, KafkaTimeoutError(), KafkaConnectionError(), NotLeaderForPartitionError()])
def test_what_no_broker_refused_is_no_refusal(writes: RefusedWrites, error: BaseException | None) -> None:
    writes.failed(TOPIC, error, 2000)
    assert writes.problem() is None


def test_a_small_batch_that_is_taken_says_nothing_of_large_ones(writes: RefusedWrites, clock: Clock) -> None:
    writes.failed(TOPIC, MessageSizeTooLargeError(), 9000)
    writes.failed(TOPIC, MessageSizeTooLargeError(), 2000)
    writes.taken(TOPIC, 1000)
    assert "MessageSizeTooLargeError" in str(writes.problem())
    clock.now += QUIET_SECONDS
    writes.taken(TOPIC, 1000)
    assert writes.problem() is None


def test_a_right_that_is_given_is_seen_at_the_first_write(writes: RefusedWrites) -> None:
    writes.failed(TOPIC, TopicAuthorizationFailedError(TOPIC), 9000)
    writes.taken(TOPIC, 1)
    assert writes.problem() is None
