"""`switchhook.<service>.dlq.v1`: what cannot be processed, with the reason in its headers.

Key, value and headers are the original's, but for `authorization`, which is removed, and for what would make the letter
larger than its topic takes. Names of the added headers follow.
"""

from __future__ import annotations

from typing import Any

from contracts.headers import DIGITS, Header
from contracts.topic import DAY_MS, DLQ_RECORD_LIMIT, Topic

ORIGINAL_TOPIC = "dlq-original-topic"
ORIGINAL_PARTITION = "dlq-original-partition"
ORIGINAL_OFFSET = "dlq-original-offset"
ORIGINAL_TIMESTAMP = "dlq-original-timestamp"
ERROR_CODE = "dlq-error-code"
"""The word operators count by: not-json, wrong-schema, bad-header, too-large, unknown-type, failed."""
ERROR_MESSAGE = "dlq-error-message"
ATTEMPTS = "dlq-attempts"
CUT = "dlq-cut"
"""There only where the original was too large for a dead letter: what was cut, and how large it was (`value 9000000`)."""

HEADERS = (
    Header(ORIGINAL_TOPIC, "Where the record came from", "switchhook.inbound.v1"),
    Header(ORIGINAL_PARTITION, "Its partition there", "3", pattern=DIGITS),
    Header(ORIGINAL_OFFSET, "Its offset there", "4711", pattern=DIGITS),
    Header(ORIGINAL_TIMESTAMP, "When Kafka had it there, milliseconds since 1970", "1795219200000"),
    Header(ERROR_CODE, "The word to count by, such as `not-json` or `failed`", "not-json"),
    Header(ERROR_MESSAGE, "Why, as a sentence", "The value is not JSON"),
    Header(ATTEMPTS, "How often it was tried", "1", pattern=DIGITS),
    Header(CUT, "What of it was too large for a dead letter, and how large it was", "value 9000000", needed=False),
)
"""What is added; the headers of the original stand beside these."""

SERVICES = ("ingress", "flow-engine", "dispatcher", "registry")


def topic_for(service: str) -> Topic:
    """The dead-letter topic of a service."""
    return Topic(
        name=f"switchhook.{service}.dlq.v1",
        title=f"What {service} could not process",
        key="as the original",
        partitions=3,
        record=Any,
        producers=(service,),
        consumers=("operators",),
        headers=HEADERS,
        retention_ms=14 * DAY_MS,
        config={"max.message.bytes": str(DLQ_RECORD_LIMIT)},
    )
