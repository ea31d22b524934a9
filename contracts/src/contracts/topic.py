"""What a topic is: the one description that code, topic creation, AsyncAPI and docs are made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from contracts.headers import Header

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
RECORD_LIMIT = 4 * 1024 * 1024
"""`max.message.bytes` and the producers' `max_request_size` of every topic but the DLQs, bytes."""
DLQ_RECORD_LIMIT = 5 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Topic:
    """One Kafka topic.

    `partitions` is the default of a new installation: a whole number, or the name of the setting that decides it.
    `config` holds topic-level settings as Kafka spells them. `record` is the pydantic type (or union) of its value,
    `headers` are those that its records have. `family`: what `ce_type`
    has before the record's kind (None: not of ours).
    """

    name: str
    title: str
    key: str
    partitions: int
    record: Any
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    headers: tuple[Header, ...] = ()
    family: str | None = None
    retention_ms: int = 7 * DAY_MS
    config: dict[str, str] = field(default_factory=dict)

    def settings(self) -> dict[str, str]:
        """Everything that topic creation sends to Kafka."""
        return {
            "retention.ms": str(self.retention_ms),
            "message.timestamp.type": "LogAppendTime",
            "max.message.bytes": str(RECORD_LIMIT),
            "compression.type": "lz4",  # By the broker, however records were sent (ADR-0037).
            **self.config,
        }
