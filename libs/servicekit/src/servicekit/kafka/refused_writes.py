"""What Kafka refuses to store: said once in the log, again when it takes it, and by readiness meanwhile.

What is refused is written again for ever, since only an operator can change it: whatever needs the topic stands still.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from aiokafka.errors import (
    BrokerResponseError,
    ClusterAuthorizationFailedError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)

from contracts.topic import DLQ_RECORD_LIMIT, RECORD_LIMIT

SIZE, RIGHT = (
    (MessageSizeTooLargeError, RecordListTooLargeError),
    (TopicAuthorizationFailedError, ClusterAuthorizationFailedError),
)
QUIET_SECONDS = 60.0
"""Without another refusal: smaller batches that are taken are then what is written now."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Refusal:
    sentence: str
    size: int
    """Bytes of the smallest batch that was refused for its size; 0 where the size does not matter."""
    last: float


class RefusedWrites:
    """Of one process. Its log events are `kafka.write_refused` and `kafka.write_taken`; topics are as the cluster has them."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or (lambda: time.monotonic())
        self._refusals: dict[str, _Refusal] = {}

    def problem(self) -> str | None:
        """For the warnings of readiness: what is refused and what to do, in a sentence; None when nothing is."""
        return next((refusal.sentence for refusal in self._refusals.values()), None)

    def failed(self, topic: str, error: BaseException | None, size: int) -> None:
        """A batch of `size` bytes was given up. What no broker said (a time-out, a lost connection) is no refusal."""
        if not isinstance(error, BrokerResponseError) or error.retriable:
            return
        counts = size if isinstance(error, SIZE) else 0
        refusal, said = self._refusals.get(topic), type(error).__name__
        if refusal is None:
            log.error("kafka.write_refused", topic=topic, error=said, size=size)
        else:
            counts = min(counts, refusal.size)
        since = datetime.now(UTC).isoformat(timespec="seconds")
        sentence = f"Kafka refuses what is written to the topic {topic} since {since} ({said}): {_advice(topic, error)}"
        self._refusals[topic] = _Refusal(refusal.sentence if refusal else sentence, counts, self._clock())

    def forget(self, topic: str) -> None:
        """Nothing is written to it any more."""
        self._refusals.pop(topic, None)

    def taken(self, topic: str, size: int) -> None:
        """A batch of `size` bytes was written. Where larger ones were refused it says nothing about those, for a while."""
        refusal = self._refusals.get(topic)
        if refusal is None or (size < refusal.size and self._clock() - refusal.last < QUIET_SECONDS):
            return
        del self._refusals[topic]
        log.info("kafka.write_taken", topic=topic)


def _advice(topic: str, error: BrokerResponseError) -> str:
    if isinstance(error, SIZE):
        limit = DLQ_RECORD_LIMIT if topic.endswith(".dlq.v1") else RECORD_LIMIT
        return (
            f"give the topic max.message.bytes={limit}, and the brokers no smaller one; it is tried again all the time"
        )
    if isinstance(error, RIGHT):
        return "allow the user of SWITCHHOOK_KAFKA_USER to write to it; it is tried again all the time"
    return f"look into the log of the broker and at the settings of the topic ({error.description}); it is tried again all the time"


REFUSED = RefusedWrites()
"""Of this process."""
