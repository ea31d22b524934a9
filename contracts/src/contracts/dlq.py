"""`switchhook.<service>.dlq.v1`: what cannot be processed, with the reason in its headers.

Key, value and headers are the original's, but for `authorization`, which is removed, and for what would make the letter
larger than its topic takes. Names of the added headers follow.
"""

from __future__ import annotations

from typing import Any

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
        retention_ms=14 * DAY_MS,
        config={"max.message.bytes": str(DLQ_RECORD_LIMIT)},
    )
