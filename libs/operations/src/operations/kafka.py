"""What is said of a Kafka that could not be asked."""

from __future__ import annotations

from aiokafka.errors import KafkaConnectionError

from operations.errors import said
from servicekit.kafka.inside_aiokafka import connections


def why(error: BaseException) -> str:
    """Why a broker lets nobody in, where that is known; else the words of the error."""
    refused = connections.refusal()
    if refused is None and isinstance(error, KafkaConnectionError):
        return "no broker answers there"
    return refused or said(error)
