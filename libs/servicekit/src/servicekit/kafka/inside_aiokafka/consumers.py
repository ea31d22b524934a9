"""What a consumer does not offer: how long fetches wait, that its fetcher ended, an end whatever state it is in."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import LeaderNotAvailableError, for_code
from aiokafka.protocol.offset import OffsetRequest

from servicekit.kafka.inside_aiokafka import fetching, instance_names
from servicekit.kafka.inside_aiokafka.incarnations import TopicState, state_of
from servicekit.kafka.inside_aiokafka.instance_names import Membership
from servicekit.kafka.undisturbed import undisturbed

NO_REPLICA, READ_UNCOMMITTED, LATEST = -1, 0, -1
CLOSE_SECONDS = 2.0

log = structlog.get_logger()


def collect(consumer: AIOKafkaConsumer, patience_ms: int) -> None:
    """From the next fetch on, let the broker collect records that long before it answers; 0: it answers at once.

    Each answer costs both sides some 0.3 ms, whether it holds one record or a hundred.
    """
    fetcher = consumer._fetcher
    fetcher._fetch_min_bytes = fetching.MUCH if patience_ms else 1
    fetcher._fetch_max_wait_ms = patience_ms or fetching.WAIT_MS


def gather(consumer: AIOKafkaConsumer, seconds: float) -> None:
    """Let what comes within so long of records come together with one fetch. The first record after a pause comes at once."""
    fetching.gather(consumer, seconds)


async def end_of_log(consumer: AIOKafkaConsumer, tp: TopicPartition) -> int:
    """Where the log ends now. Raises KafkaError.

    `end_offsets` of a consumer of what is committed tells where the first open transaction begins. One whose commit was
    answered stays open for some milliseconds, until the broker has noted that in the log.
    """
    leader = consumer._client.cluster.leader_for_partition(tp)
    if leader is None or leader == -1:
        raise LeaderNotAvailableError(tp)
    request = OffsetRequest(NO_REPLICA, READ_UNCOMMITTED, [(tp.topic, [(tp.partition, LATEST)])])
    answer = await consumer._client.send(leader, request)
    ((_, ((_, error, _, offset),)),) = answer.topics
    if error:
        consumer._client.force_metadata_update()
        raise for_code(error)(tp)
    return int(offset)


def fetcher_ended(consumer: AIOKafkaConsumer) -> bool:
    """Whether the task that fetches has ended: nothing will ever come from this consumer."""
    return bool(consumer._fetcher.error_future.done())


async def partitions_of(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    """The partitions of a topic, as it is called on the cluster. Raises KafkaError when there is none after a while."""
    return set(await consumer._client._wait_on_metadata(topic))


async def topic_state(consumer: AIOKafkaConsumer, topic: str) -> TopicState:
    """The state of a topic, by its name on the cluster. Raises KafkaError, UnknownTopicOrPartitionError among them."""
    return await state_of(consumer._client, topic)


def fenced(consumer: AIOKafkaConsumer) -> Membership | None:
    """What it was in its group until another process took its instance name; None when none has."""
    return instance_names.fenced(consumer._coordinator)


async def is_fenced(consumer: AIOKafkaConsumer, was: Membership) -> bool:
    """Whether another living process has the instance name of one that was that member. Raises KafkaError."""
    return await instance_names.is_fenced(consumer._coordinator, was)


async def ask_again(consumer: AIOKafkaConsumer) -> None:
    """Have the consumer look at its topics now; a group is divided anew when that shows other partitions."""
    await consumer._client.force_metadata_update()


def join_again(consumer: AIOKafkaConsumer) -> None:
    """Have the consumer join its group anew; where it leads the group, that is divided anew."""
    consumer._coordinator.request_rejoin()


async def close(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer that may be in any state; gives up waiting after a few seconds."""
    if await _ended(consumer.stop()):
        return
    for part in (consumer._fetcher, consumer._client):
        if part is not None:
            await _ended(part.close())
    for connection in list(consumer._client._conns.values()):
        connection.close()


async def _ended(closing: Coroutine[Any, Any, object]) -> bool:
    try:
        await undisturbed(closing, CLOSE_SECONDS)
    except Exception as error:  # noqa: BLE001 - what is given up may fail as it likes
        log.info("consumer.close_failed", error=f"{type(error).__name__}: {error}")
        return False
    return True
