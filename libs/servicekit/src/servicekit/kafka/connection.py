"""A lost connection is a KafkaConnectionError, also where uvloop says so by a RuntimeError.

Between the loss and aiokafka's hearing of it, a write to uvloop's closed transport raises RuntimeError. aiokafka expects
OSError there; anything else ends its metadata task in silence, and the client then waits for ever. Seen in an outage of
Kafka: a consumer that did not come back.
"""

from __future__ import annotations

from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError, KafkaError

_send = AIOKafkaConnection.send


def send(self: Any, request: Any, expect_response: bool = True) -> Any:
    """In place of `AIOKafkaConnection.send`."""
    try:
        return _send(self, request, expect_response)
    except KafkaError:  # These are RuntimeErrors, too.
        raise
    except RuntimeError as error:
        self.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"Connection at {self.host}:{self.port} is closed: {error}") from error


def install() -> None:
    """Put it in its place; the modules that make our consumers and producers do so as they are imported."""
    AIOKafkaConnection.send = send
